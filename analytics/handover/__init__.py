"""What goes to a trainer, and to those who ask what was in it: data, cards, licences, the summary of content."""
