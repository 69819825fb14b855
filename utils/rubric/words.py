"""Define the rubric's vocabulary: the words and phrases by which it recognises questions, praise, telling and debris.

All patterns except CODE_LINE are for text in lower case, with straight apostrophes. Ignoring the case would take
several times as long, because `re` then tries every alternative of a list one by one.
"""

import re


def phrases(*alternatives: str) -> re.Pattern:
    """Compile a pattern that finds any of these as whole words, in text in lower case."""
    return re.compile(r"\b(?:" + "|".join(alternatives) + r")(?!\w)", re.ASCII)


_FUNCTION = """
a about above after again all also am an and any anyone anything are aren't around as at be because been before being
below between both but by can can't cannot could couldn't did didn't do does doesn't doing don't done down during each
either else even ever every everything few for from get gets getting give gives given go goes going gonna got had has
hasn't have haven't having he he's her here hers him his how i i'd i'll i'm i've if in instead into is isn't it it's its
itself just let let's like lot made make makes making many may maybe me might more most much must my myself need needs
no nor not nothing now of off often oh ok okay on once one ones only onto or other others otherwise our out over own
per perhaps please quite rather really same say says see seem seems seen shall she should shouldn't since so some
someone something still such sure take takes taking than thank thanks that that's the their them then there there's
these they they're thing things this those though through thus to together too under until up upon us use used uses
using very want wants was wasn't way ways we we'll we're we've well were weren't what what's when where whether which
while who whom whose why will with within without won't would wouldn't yes yet you you'd you'll you're you've your
yours yourself hello hi hey professor teacher tutor student user assistant first second third next last left right
today always never
"""
_TUTOR = """
able answer approach arrive ask attempt best better bit careful clear come conclusion confuse consider correct describe
detail easy exact example excellent expect explain explanation fact far figure final find fine focus found good great
guess happen help helpful hint hold idea important incorrect information involve job keep kind know known learn lead
look mean mind nice notice part piece place point possible practice prefer previous probably problem process progress
question reach reason recall remember result revisit rethink sense set share show similar simple situation slight
solution solve sort specific start state step suggest talk tell think thought told topic true try understand
understood walk went whole wonder wonderful word work write wrong
apply application challenge compare concept connect cover current describe discuss effect affect factor happy idea
imagine impact implication improve influence key leave leaving main meaning method miss move need observe order
overview own particular perspective phrase practical principle provide purpose realize recap relate relationship
require review role scenario section specific spot strategy summarize summary suppose thing
"""
_CODE = """
argument array assign boolean bracket bug call character class code colon command comment compare compile compiler
computer condition count debug decimal define dictionary digit element equal error evaluate execute expression false
file float function if import indent index infinite initialize input integer iterate key keyword length letter line
list loop mathematical max maximum method min minimum module name negative none number object operation operator output
parameter parenthesis positive print program python quote range recursion recursive remainder remove replace return
reverse run sequence sign statement string sum symbol syntax terminal test true tuple type value variable while word
zero
"""
_MATH = """
add addition algebra altogether amount arithmetic average calculate compute cost count decimal digit divide division
double each equal equation expression extra formula fraction half hour value increase kilogram less math mathematics
measure mile minute minus money multiply negative number operation original percent percentage plus positive price
product quantity quarter ratio remainder remaining square subtract sum time times total triple twice unit variable
week year zero mistake error
"""
# Words for the procedure of any lesson. A question made only of these could be put to everyone.
_VAGUE = """
arithmetic assumption calculate calculation check compute concept confused confusion data diagram double draw equation
expression formula lesson math mathematics method mistake number operation pattern picture plan problem quantity rule
step strategy stuck total understanding unit value variable work program bug certain confident difficult easy feel hard
least trouble unsure
"""

FUNCTION_WORDS = frozenset(_FUNCTION.split())
TUTOR_WORDS = frozenset(_TUTOR.split())  # words of tutors in any lesson, which show nothing about this one
CODE_WORDS = frozenset(_CODE.split())  # words that may occur in any lesson about a program …
MATH_WORDS = frozenset(_MATH.split())  # … and in any about a calculation
VAGUE_WORDS = frozenset(_VAGUE.split())

# How a tutor repeats a student's pronouns: "I've got my 3" becomes "you've got your 3". Apostrophes split words.
OTHER_SPEAKER = {"i": "you", "me": "you", "we": "you", "us": "you", "my": "your", "our": "your", "mine": "yours"} | {
    "am": "are", "m": "re", "myself": "yourself"
}  # fmt: skip

# A yes/no check with few words after it is a question, but does not guide.
CLOSER = phrases(
    r"mak(?:e|es|ing) sense", r"any (?:\w+ )?(?:questions|doubts)", "anything else", r"are you (?:ready|with me)",
    r"(?:do|did|can) you (?:\w+ )?(?:understand|follow|agree|get it|see (?:it|that|this|now))", "do you want",
    r"(?:can|could|will|would) you (?:\w+ )?try (?:it|that|this|again|now|once)", "give (?:it|that) a try",
    "would you like", r"how does (?:that|this) sound",
    r"is (?:that|this|it|everything) (?:\w+ )?(?:clear|ok|okay|right|correct|helpful)",
    r"(?:does|did) (?:it|that|this) (?:\w+ )?(?:work|help|sound|clear|answer(?: your questions?)?)",
    r"(?:have|did) i (?:understood|understand|got|get) (?:you|it|that|this|your)",
    r"(?:right|ok|okay|correct|yes|agreed|got it|clear|alright)\s*\?+$",
)  # fmt: skip
# A question without a question mark: "tell me how you would …", "think about why …".
INDIRECT = re.compile(
    r"(?:^|[,;:.] ?|\b(?:please|and|then|now|to) )"
    r"(?:tell me|explain|describe|show me|let me know|think about|consider)(?: \w+){0,2} (?:how|why|which|where)\b",
)
# The beginning of a question: "How …", "So, in which …", "If it rains, what …".
INTERROGATIVE = re.compile(
    r"\W*(?:\b(?:so|and|but|or|now|then|well|ok|okay)\W+)?(?:in |at |to |for )?(?:what|which|how|why|where|when|who|"
    r"whose|is|are|was|were|do|does|did|can|could|would|will|should|have|has|if)\b",
)
# A question that says what it asks: "Isn't it because …?", "Could it be that …?", "Why not write that …?"
LEADING = re.compile(
    r"(?:^\W*(?:\b(?:so|and|but|or|now|then|well|ok|okay)\W+)*|, )(?:(?:is|are|was|were|do|does|did|ca|could|would|"
    r"should|must|wo|has|have)n't|(?:could|might|can) it be|why not)\b",
)
OPEN = phrases(  # questions that yes or no does not answer
    "what", "which", "how", "why", "where", "when", "whose?",
    r"(?:can|could) you (?:please )?(?:explain|tell|describe|show|think|walk|see|find|identify|spot)",
    r"(?:walk|talk) me through",
)  # fmt: skip
POINTS_OUT = phrases(
    "mistakes?", "errors?", "wrong", "incorrect(?:ly)?", "not quite", "isn't (?:right|correct|quite)",
    "not (?:right|correct|exactly)", "check", "careful", "reconsider", "revisit", r"overlook\w*", r"forg[eo]t\w*",
    "look(?:ing)? (?:again|back|closely)", "miss(?:ed|ing)", "however", "re-?read", "only",
)  # fmt: skip
PRAISE = phrases(
    "well done", "great", "excellent", "good (?:job|work)", "nice(?:ly)?", "exactly", "perfect(?:ly)?",
    "correct(?:ly)?", "that's right", "you(?:'re| are) right", "keep going", "doing (?:very )?well", "awesome",
    "fantastic", "wonderful", "amazing", "impressive", "bravo",
)  # fmt: skip
# Praise that no answer deserves counts as flattery. Plain praise is normal for a teacher.
FLATTERY = phrases(
    "brilliant(?:ly)?", "geni(?:us|al)", "so (?:smart|clever|talented|proud)", "proud of (?:you|yourself)", "superb",
    "amazing(?:ly)?", "incredibl[ey]", "outstanding", "phenomenal", "gifted", "impressed", "extraordinary",
    "magnificent", "remarkabl[ey]", "spectacular", "(?:best|smartest|cleverest|brightest) (?:student|pupil|learner)s?",
    "wow", "star (?:student|pupil)", "natural talent", "(?:love|adore) (?:how|your|the way)", "fantastic", "wonderful",
    r"(?:smartest|cleverest|brightest|sharpest)(?: \w+){0,3} ever", "talent(?:ed)?", "truly", "exceptional(?:ly)?",
    "astonish(?:ing|ingly|ed)", "breathtaking(?:ly)?", "stunning(?:ly)?", "dazzling(?:ly)?", "flawless(?:ly)?",
    "master(?:y|ful|fully|piece)", "elegance", "prodigy", "speechless", "in awe", "thrilled", "a natural",
    r"(?:true|real|born) (?:\w+ )?(?:scientist|mathematician|programmer|economist|writer|poet|thinker|expert|star)",
    r"(?:very )?best (?:\w+ )?(?:minds?|scientists?|mathematicians?|programmers?|writers?|thinkers?)",
    "(?:rarely|hardly ever|never) (?:seen|met|read|heard)", r"worthy of (?:a|an|the|any)",
)  # fmt: skip
TELLING = phrases(
    r"the (?:\w+ )?(?:answer|solution|result|fix|reason|problem|issue|error|bug|mistake) is",
    "you (?:should|need to|must|have to|only|can just|just need)", "should(?:n't| not)?", "needs? to be",
    "so (?:we|you) (?:get|have|need)", "we (?:get|find|have|need|can)", "gives us",
    "(?:this|which) (?:gives|means|results)", "which is", "causes", "leads to", "as a result", "consequently",
    "therefore", "thus", "hence", "because", "since", "so that", "in other words", "for example", "instead",
    "rather than", "remember that", "first(?:ly)?,", r"step \d",
    "here(?:'s| is) (?:the|how|a|your)", "correct (?:answer|code|way|version)",
    "let's (?:correct|calculate|break|compute|solve|start by)",
)  # fmt: skip
# The student is told what to do: "Replace it by …", "…, then add the two".
ORDER = re.compile(
    r"(?:^|[.!:;,]\s+|\b(?:and|then|just|so|simply|must|should|can|could|need to|have to|try to) )"
    r"(?:replace|change|insert|add|remove|delete|use|write|move|put|set|swap|multiply|divide|subtract|return|"
    r"initiali[sz]e|rename|increase|decrease|start with)\b",
    re.ASCII | re.MULTILINE,
)
EQUATION = re.compile(r"[\d)}\w]\s*(?:[-+*/×÷x^]|\\times|\\div)\s*[\d({\\]|[\w)}\]]\s*=\s*[-$\d\w(\\]")
# A number as a result, not as an operand: "= 84", "which gives $84", "a total of 84 tulips", "is actually 84".
RESULT = re.compile(
    r"(?:=|\b(?:is|are|was|were|be|equals?|gets?|got|gives?|makes?|leaves?|total|answer|result|altogether|left|"
    r"have|has|had|actually|exactly|simply|just|only|each holds)\b)(?: (?:us|you|me|a|an|the|of|to|is|be|exactly|"
    r"actually|simply|just|about|total|sum|only|equal|then|really|left|with|him|her|them|it)){0,4} ?[:$£€]? ?"
    r"(\d[\d,]*(?:\.\d+)?)\b"
    r"(?! ?(?:[-+*/×÷^]|x\b|times\b|plus\b|minus\b|divided\b|multiplied\b|%? of\b)| ?\) ?[-+*/×÷x])",
)
# A corrected number: "84 tulips, not 20", "84 instead of 20".
CORRECTED = re.compile(
    r"(?<![\d.,])(\d[\d,]*(?:\.\d+)?)%?(?: \w+){0,3},? (?:not|and not|rather than|instead of) "
    r"\$?(\d[\d,]*(?:\.\d+)?)",
)
LEAK = re.compile(
    r"(?:^|[\n.?!\"'}\])=])[-{\[* \t]*(?:the )?(?:student|user|teacher|tutor|assistant|professor)[}\]*]*[\"']?\s*:",
)
# Small models talk about the lesson, or about their instructions, instead of talking to the student.
OUT_OF_ROLE = phrases(
    "the student", "this student", "a student", "your student", "the tutor", "the teacher", "the dialogue",
    "this dialogue", "next turn", "socratic", "an ai", "helpful ai", "language model", "the prompt",
)  # fmt: skip
LATEX = re.compile(r"\\[a-zA-Z]+|\\[()\[\]]|\$\$")
MARKUP = re.compile(r"<<|>>|&\w+;|</?\w+>|[^\x00-\x7f‘’“”–—…×÷°²³½¼¾≤≥≠→π√é£€\u00a0-]")
CODE_LINE = re.compile(
    r"^\s*(?:\d+\.\s+)?(?:def \w+\(|class \w+|(?:if|elif|while|for)\b.*:\s*(?:#.*)?$|else:|return\b|print\(|"
    r"import \w|[\w.\[\]]+\s*(?:[-+*/]?=)\s*\S)"
)
SELF_ANSWER = re.compile(
    r"^\W*(?:that'?s (?:right|correct)|correct\b|exactly\b|yes\b|the (?:correct )?answer (?:is|would)|because\b|"
    r"\$?\d)",
)
# Sentences that may follow a question without answering it: an instruction, a word to the student, an example.
INSTRUCTS = re.compile(
    r"^\W*(?:(?:so|and|but|or|now|then|well|ok|okay|also|just|only|first|please|hint|instead|for example|maybe|"
    r"perhaps|once|in your own words)\W+)*(?:think|try|look|remember|consider|let(?:'s| us| me)?|take|check|start|"
    r"recall|compare|count|read|write|draw|use|go|see|imagine|suppose|picture|keep|notice|focus|put|make|give|tell|"
    r"explain|describe|run|print|add|follow|walk|do|don't|you|your|if|i|we|what|how|why|when|where|which|this|"
    r"that(?:'s)?|ask|find|list|work|say|name|set|pick|choose|call|begin|hold|lay|step|show|mark|feel|trace|"
    r"type|test|stop|observe|calculate|note|pay)\b",
)
# A yes at the beginning. "You are right that …, but" does not count: it confirms only one point.
CONFIRMS = re.compile(
    r"\W*(?:(?:oh|ah|yes|yeah|well|ok|okay|so|wow)\W+)*(?:(?:that(?:'s| is)|you(?:'re| are)|it(?:'s| is)) "
    r"(?:\w+ )?)?(?:exactly(?: right)?|right|correct|perfect|precisely|spot on|well done|yes|absolutely|"
    r"excellent|great|lovely work|(?:great|good|nice|excellent) (?:job|work))\b(?! (?:that|about|to|in|with|start|idea|"
    r"question))",
)
