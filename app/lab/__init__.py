"""The lab: clients under test and taps in a process of their own. Its composition root is ``lab``."""
