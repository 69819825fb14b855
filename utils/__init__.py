"""What the scripts share. Everything here is imported; everything that is run lies one folder up."""
