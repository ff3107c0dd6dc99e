"""The work: where runs wait, execute, report and end."""
