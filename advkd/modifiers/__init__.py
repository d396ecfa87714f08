"""What changes the training of a student whatever the method."""
