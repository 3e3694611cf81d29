pytest_plugins = ["tests.checkpoints"]
