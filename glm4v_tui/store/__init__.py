"""The one database: conversations, results of models, verdicts of reviewers."""
