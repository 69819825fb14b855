"""What a finished run says.

Read training_root.py (grades, names, means), table.py, charts.py; paper.py has the published values.
"""
