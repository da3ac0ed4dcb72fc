"""What is run for each command of the command line; every module imports what is heavy only when it is run."""
