"""The impact review: a verdict, a sentence, a picture, and the document that they rest on."""
