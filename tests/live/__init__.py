"""The client against real daemons: every suite here needs the lab."""
