"""Conversations kept: from the session into the database, back again, and out to files."""
