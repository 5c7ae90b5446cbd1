"""Many answers, one label, an honest confidence."""
