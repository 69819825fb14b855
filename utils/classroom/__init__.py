"""A classroom: tutors talk to students about problems for several turns, and what happened is measured.

Read problems.py and templates.py (problems with mistakes that are carried out; the stories are in stories_*.py), then
dialogues.py (the talk), students.py and rule_student.py (who asks for help), controls.py (tutors whose measures are
known beforehand). What words are: numbers.py, leaks.py, verdicts.py and pointing.py, joined in readers.py;
chat_reader.py asks a model. What comes of it: measures.py (exact), exams.py and dialogue_judge.py (by a model), run.py,
summary.py, table.py, figure.py. actors.py and cost.py turn the flags into who takes part, and what that would cost.
"""
