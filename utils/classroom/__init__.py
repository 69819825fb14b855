"""A classroom: tutors talk to students about problems for several turns, and the dialogues are measured.

Read problems.py and templates.py (problems with an executed mistake; the stories are in stories_*.py), then
dialogues.py (turn taking), students.py and rule_student.py (who asks for help), controls.py (tutors whose measures are
known beforehand). Reading words: numbers.py, leaks.py, verdicts.py and pointing.py, joined in readers.py;
chat_reader.py asks a model instead. Results: measures.py (exact), exams.py and dialogue_judge.py (by a model), run.py,
summary.py, table.py, figure.py. actors.py makes the participants from the flags; cost.py estimates what they cost.
"""
