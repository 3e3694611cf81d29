"""Facts to questions and answers: a module for each family, and one for what is declined."""
