"""A classroom: tutors talk to students about problems for several turns, and what happened is measured.

Read problems.py and templates.py (problems with mistakes that can be executed), numbers.py (what numbers a text says),
students.py and rule_student.py (who asks for help), readers.py (what a tutor's words are to the rule student),
controls.py (tutors whose measures are known beforehand), dialogues.py (the talk), measures.py (what is exact),
exams.py and dialogue_judge.py (what takes an LLM), then summary.py and figure.py.
"""
