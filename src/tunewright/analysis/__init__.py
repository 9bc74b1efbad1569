"""What vectors are for: pure functions of arrays, one question a file."""
