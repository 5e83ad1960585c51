"""Words for people: one card of a request, news, the weekly list; every channel lays out the same."""
