"""People answer in Slack: messages, modals, and the Bolt app that hears the answers."""
