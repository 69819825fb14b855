"""Let tutors talk to students about problems for several turns, and measure the dialogues.

Start with problems.py and templates.py (problems with a student's mistake; stories_*.py has the stories). dialogues.py
holds the dialogues. students.py and rule_student.py are the students. controls.py has tutors whose measures are known
beforehand. readers.py interprets a tutor's words by numbers.py, leaks.py, verdicts.py and pointing.py; chat_reader.py
asks an LLM instead. measures.py computes exact measures; exams.py and dialogue_judge.py use a model. run.py runs all,
and summary.py, table.py and figure.py report. actors.py makes the participants from flags, cost.py estimates the cost.
"""
