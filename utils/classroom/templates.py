"""The stories of the generated problems: sixteen templates, each with two mistakes that students make.

A step names a quantity, says how it is calculated from those before, and holds an open question that leads to it and
the words by which a reader knows that somebody speaks of it. A mistake puts another formula in place of a step's.
After Brown & Burton (1978), "Diagnostic models for procedural bugs": a mistake is a procedure, carried out faithfully.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

NAMES = ["Mina", "Tom", "Ada", "Leo", "Nia", "Sam", "Eva", "Raj", "Ines", "Olek", "Wei", "Zoe"]


@dataclass(frozen=True)
class Step:
    key: str
    what: str  # the quantity, as the student calls it
    formula: str
    ask: str  # an open question that leads to this step and gives nothing away
    cues: str  # words and phrases, separated by commas, that point at this step


@dataclass(frozen=True)
class Mistake:
    step: str
    formula: str
    belief: str  # why, in the student's words
    cues: str = ""  # what the mistake overlooks


@dataclass(frozen=True)
class Template:
    name: str
    topic: str  # arithmetic, fractions, percent, rates or units
    text: str
    draw: Mapping[str, Sequence[int]]  # the given numbers, and what each may be
    steps: tuple[Step, ...]
    mistakes: tuple[Mistake, ...]


TEMPLATES = (
    Template(
        "notebooks", "arithmetic",
        "{name} buys {count} notebooks at ${price} each and a backpack for ${bag}, and pays with ${paid}. How much "
        "change does {name} get?",
        {"count": range(3, 10), "price": range(4, 15), "bag": range(15, 40), "paid": range(150, 500, 5)},
        (
            Step("books", "the cost of the notebooks", "count * price", "How do you find what all the notebooks cost "
                 "together?", "notebook, notebooks, each, apiece, one notebook"),
            Step("total", "the cost of everything", "books + bag", "What else is in the basket besides the notebooks, "
                 "and how does it change the bill?", "backpack, bill, everything, total, altogether, basket, purchase"),
            Step("change", "the change", "paid - total", "How do you get from the bill to the change?",
                 "change, pays, paid, cashier, back, remaining money, handed"),
        ),
        (
            Mistake("books", "count + price", "you put the number of notebooks and the price together",
                    "several, per item, price of one"),
            Mistake("total", "books + bag * count", "there is a backpack for each notebook", "how many backpacks"),
        ),
    ),
    Template(
        "jackets", "percent",
        "A jacket costs ${price}. Today there is {percent}% off. {name} buys {count} of them. How much does {name} "
        "pay?",
        {"price": range(40, 400, 10), "percent": (5, 10, 15, 20, 25, 30, 40), "count": range(2, 7)},
        (
            Step("off", "the discount on one jacket", "price * percent / 100", "What does the percent sign tell you "
                 "about the size of the discount?", "percent, percentage, discount, off, hundred, hundredths, "
                 "reduction"),
            Step("sale", "the price of one jacket today", "price - off", "Is one jacket dearer or cheaper today than "
                 "before, and what does that do to its price?", "cheaper, dearer, today, sale price, new price, "
                 "reduced price, reduce, lower, higher, after the discount, sale"),
            Step("pay", "the price of all jackets", "sale * count", "Once you know the price today, how do you find "
                 "what "
                 "all the jackets cost?", "all jackets, all the jackets, all of them, buys, total, several, "
                 "altogether"),
        ),
        (
            Mistake("off", "price / percent", "percent means that you divide by that number", "part of a hundred"),
            Mistake("sale", "price + off", "the discount is put on the price", "save, saving, less, more, subtract, "
                    "add"),
        ),
    ),
    Template(
        "eggs", "arithmetic",
        "A shop gets {boxes} boxes of eggs. In each box there are {rows} rows of {each} eggs. In the whole delivery "
        "{broken} eggs are broken. How many eggs are whole?",
        {"boxes": range(3, 9), "rows": range(3, 10), "each": range(4, 13), "broken": range(13, 40)},
        (
            Step("box", "the eggs in one box", "rows * each", "How are the eggs arranged in a single box, and how many "
                 "does that make?", "one box, single box, row, rows, arranged, arrangement, inside a box"),
            Step("all", "the eggs in all boxes", "box * boxes", "How many eggs come with all the boxes together?",
                 "all boxes, all the boxes, delivered, altogether, every box, number of boxes"),
            Step("whole", "the whole eggs", "all - broken", "What do you know about the broken eggs, and what does it "
                 "mean for the rest?", "broken, whole, unbroken, cracked, damaged, intact, good eggs"),
        ),
        (
            Mistake("box", "rows + each", "you put the rows and the eggs in a row together", "grid, array"),
            Mistake("whole", "all - broken * boxes", "that many are broken in every box", "whole delivery, delivery"),
        ),
    ),
    Template(
        "stickers", "fractions",
        "{name} has {first} stickers. {other} has a third as many as {name}. They put them together and buy {bought} "
        "more. "
        "How many stickers do they have now?",
        {"first": range(42, 180, 3), "bought": range(13, 60)},
        (
            Step("third", "{other}'s stickers", "first / 3", "What does \"a third as many\" tell you about {other}'s "
                 "stickers?", "third, {other}, {other}'s, three times, triple"),
            Step("both", "the stickers of both", "first + third", "What happens to the two collections when they are "
                 "put "
                 "together?", "together, both, combine, combined, pool, two collections, join, joint"),
            Step("now", "all stickers", "both + bought", "What does buying do to the pile that they have?",
                 "buy, buying, bought, new ones, extra, purchase, final"),
        ),
        (
            Mistake("third", "first * 3", "a third as many means three times as many", "fewer, smaller"),
            Mistake("both", "first - third", "together means how many one has over the other", "difference, putting"),
        ),
    ),
    Template(
        "trip", "rates",
        "{name} drives {hours} hours at {speed} miles per hour, then {later} hours at {faster} miles per hour. The "
        "whole "
        "trip is {distance} miles long. How many miles are left?",
        {"hours": range(2, 6), "speed": range(35, 62, 3), "later": range(2, 8), "faster": range(41, 80, 4),
         "distance": range(500, 1200, 20)},
        (
            Step("one", "the miles of the first part", "hours * speed", "How far does the first part of the drive go?",
                 "first part, first leg, first stretch, first half, beginning, start of the drive"),
            Step("two", "the miles of the second part", "later * faster", "How fast is the car in the second part of "
                 "the drive?", "second part, second leg, second stretch, second half, afterwards, then, later, next "
                 "leg"),
            Step("sum", "the miles so far", "one + two", "How do the two parts make up the way that is done so far?",
                 "so far, both parts, both legs, both distances, covered, driven, done, travelled, traveled, add up"),
            Step("left", "the miles left", "distance - sum", "How does the way so far compare with the whole trip?",
                 "left, whole trip, entire trip, remain, remaining, to go, total trip, rest of the trip"),
        ),
        (
            Mistake("two", "later * speed", "the car goes at the same speed all the time", "speed, fast, faster, "
                    "change"),
            Mistake("sum", "two - one", "the way so far is how much longer one part is", "difference, subtract"),
        ),
    ),
    Template(
        "lemonade", "arithmetic",
        "{name} sells {cups} cups of lemonade. {other} sells {more} cups more than {name}. Each cup costs ${price}. "
        "How "
        "much money do they take together?",
        {"cups": range(14, 40), "more": range(3, 12), "price": range(3, 9)},
        (
            Step("others", "{other}'s cups", "cups + more", "What does \"more than\" say about {other}'s cups?",
                 "more than, {other}, {other}'s, extra cups"),
            Step("both", "the cups of both", "cups + others", "How many cups do the two sell together?",
                 "both, in all, total cups, two of them, combined, cups together"),
            Step("money", "the money", "both * price", "How do you turn a number of cups into money?",
                 "money, price, cost, costs, each cup, per cup, one cup, dollars, earn, take, revenue"),
        ),
        (
            Mistake("others", "cups * more", "more than means times", "times, comparison, compare"),
            Mistake("money", "both + price", "you put the cups and the price together", "every cup, several"),
        ),
    ),
    Template(
        "tank", "units",
        "A pump moves {rate} litres of water each minute. It runs for {hours} hours and fills part of a tank that "
        "holds "
        "{holds} litres. How many litres still fit in?",
        {"rate": range(13, 40), "hours": range(2, 8), "holds": range(10_000, 20_000, 500)},
        (
            Step("minutes", "the minutes that the pump runs", "hours * 60", "How do hours and minutes hang together?",
                 "hour, hours, minutes in an hour, minutes, convert, conversion, time, clock, long"),
            Step("filled", "the litres that are in the tank", "minutes * rate", "How much water has the pump moved in "
                 "all that time?", "water, moved, pumped, pump, each minute, per minute, every minute, rate, tank"),
            Step("room", "the litres that still fit in", "holds - filled", "How does what is in the tank compare with "
                 "what it holds?", "holds, still fit, fit, capacity, full, room, space, empty, left, tank"),
        ),
        (
            Mistake("minutes", "hours * 100", "an hour has a hundred minutes", "how many minutes"),
            Mistake("filled", "minutes + rate", "you put the minutes and the litres together", "one minute, two "
                    "minutes"),
        ),
    ),
    Template(
        "ribbon", "units",
        "A roll has {metres} metres of ribbon. {name} cuts {pieces} pieces of {long} centimetres each from it. How "
        "many "
        "centimetres of ribbon are left?",
        {"metres": range(50, 90), "pieces": range(4, 10), "long": range(15, 48)},
        (
            Step("whole", "the roll in centimetres", "metres * 100", "How do metres and centimetres hang together?",
                 "metre, metres, meter, meters, roll, convert, conversion, unit, units, same unit, hundred"),
            Step("used", "the ribbon that is cut off", "pieces * long", "How much ribbon do all the pieces need?",
                 "piece, pieces, cut, cuts, cutting, used, each piece, off"),
            Step("left", "the ribbon that is left", "whole - used", "What happens to the roll when the pieces are "
                 "gone?",
                 "left, remain, remaining, rest, leftover, over, gone"),
        ),
        (
            Mistake("whole", "metres * 10", "a metre has ten centimetres", "how many centimetres, ten, long"),
            Mistake("used", "pieces + long", "you put the number of pieces and their length together", "one piece"),
        ),
    ),
    Template(
        "fence", "arithmetic",
        "A garden is {length} metres long and {width} metres wide. A fence goes all around it, except for a gate of "
        "{gate} metres. A metre of fence costs ${price}. How much does the fence cost?",
        {"length": range(15, 45), "width": range(7, 30), "gate": range(2, 6), "price": range(3, 20)},
        (
            Step("around", "the way around the garden", "2 * (length + width)", "If you walk all around the garden, "
                 "which sides do you pass?", "around, sides, side, perimeter, walk, edge, rectangle, round, border, "
                 "shape, opposite, four"),
            Step("fence", "the length of the fence", "around - gate", "Where is there no fence, and what does that "
                 "change?", "gate, no fence, except, opening, gap, entrance"),
            Step("cost", "the cost of the fence", "fence * price", "How do you get from metres of fence to money?",
                 "cost, costs, price, money, dollars, each metre, per metre, a metre, pay"),
        ),
        (
            Mistake("around", "length + width", "a garden has a long and a wide side, and that is all", "two sides, "
                    "corners"),
            Mistake("fence", "around + gate", "the gate comes on top", "add, subtract, longer, shorter"),
        ),
    ),
    Template(
        "flour", "rates",
        "For {cakes} cakes a baker needs {flour} grams of flour. Today there are orders for {orders} cakes, and the "
        "bag "
        "holds {bag} grams. How many grams stay in the bag?",
        {"cakes": range(3, 8), "flour": range(600, 2400, 60), "orders": range(8, 13), "bag": range(5000, 9000, 250)},
        (
            Step("one", "the flour for one cake", "flour / cakes", "How can you find what a single cake needs?",
                 "one cake, single cake, each cake, per cake, share, recipe, a cake"),
            Step("need", "the flour for the orders", "one * orders", "How much flour do all of today's orders take?",
                 "orders, order, today, today's, needed today, all the cakes, ordered"),
            Step("stay", "the flour that stays in the bag", "bag - need", "What happens to the bag when the orders are "
                 "baked?", "bag, stay, stays, left, remain, remaining, sack, leftover"),
        ),
        (
            Mistake("one", "flour - cakes", "you take the cakes away from the flour", "equally, divide, split, "
                    "subtract"),
            Mistake("need", "flour + orders", "you put the new orders on top of the flour", "how many cakes, multiply"),
        ),
    ),
    Template(
        "wages", "percent",
        "{name} earns ${wage} an hour. From today the wage rises by {percent}%. {name} works {hours} hours this week. "
        "How "
        "much does {name} earn this week?",
        {"wage": range(100, 300, 20), "percent": (15, 20, 25, 30, 35, 40, 45), "hours": range(3, 12)},
        (
            Step("rise", "the rise", "wage * percent / 100", "What does the percent sign tell you about the rise?",
                 "percent, percentage, hundred, hundredths, rise in dollars, size of the rise, raise"),
            Step("new", "the new wage", "wage + rise", "Does an hour bring more or less than before, and how much is "
                 "it "
                 "now?", "new wage, new pay, now, before, after, hour, hourly, increase"),
            Step("week", "the money for the week", "new * hours", "How does the work of one hour become that of the "
                 "week?", "week, weekly, works, total, whole week, hours, all the hours"),
        ),
        (
            Mistake("rise", "wage * percent / 10", "percent means tenths", "tenth, tenths, part of a hundred"),
            Mistake("new", "wage - rise", "the rise is taken off the wage", "rises, rise, up, down, more, less, goes"),
        ),
    ),
    Template(
        "pupils", "fractions",
        "A school has {pupils} pupils. {part}/{whole} of them walk to school. A third of the others come by bike, and "
        "the rest take the bus. How many take the bus?",
        {"pupils": range(120, 700, 12), "part": (2, 3, 4), "whole": (5, 7, 8)},
        (
            Step("walk", "the pupils who walk", "pupils * part / whole", "What do the two numbers of the fraction tell "
                 "you about those who walk?", "walk, walkers, walking, fraction, numerator, denominator, on foot, "
                 "part"),
            Step("others", "the others", "pupils - walk", "How many do not walk?",
                 "not walk, don't walk, do not walk, without, other pupils, everyone else, remaining"),
            Step("bike", "the pupils who come by bike", "others / 3", "A third of whom comes by bike?",
                 "bike, bikes, bicycle, third, cycle, cyclists, ride"),
            Step("bus", "the pupils who take the bus", "others - bike", "Who is left for the bus?", "bus, rest, left"),
        ),
        (
            Mistake("walk", "pupils / whole", "the lower number says how many parts, so you divide by it", "upper, "
                    "top"),
            Mistake("bike", "pupils / 3", "a third means a third of the school", "others, of what, of whom, group"),
        ),
    ),
    Template(
        "scores", "arithmetic",
        "{name} scores {one}, {two} and {three} points in three games. For a medal the mean of the three must be "
        "{goal} "
        "points. How many points is {name}'s mean below that?",
        {"one": range(31, 70), "two": range(31, 70), "three": range(31, 70), "goal": range(85, 100)},
        (
            Step("sum", "the points of all games", "one + two + three", "Which games count, and how many points is "
                 "that "
                 "in all?", "all games, sum, in all, count, total points, altogether, every game, each game, games "
                 "count"),
            Step("mean", "the mean", "sum / 3", "How is a mean found, and how many games go into it?",
                 "mean, average, divide, number of games, how many games, share, three games, equally"),
            Step("below", "the points below the goal", "goal - mean", "How far from the medal is that?",
                 "below, medal, goal, far, short, gap, missing, needed"),
        ),
        (
            Mistake("sum", "one + two", "only the first two games go together", "last game, third game, left out, "
                    "forgot"),
            Mistake("mean", "sum / 2", "a mean is half of the sum", "half, halve, two"),
        ),
    ),
    Template(
        "saving", "rates",
        "{name} has ${start} and saves ${weekly} each week for {weeks} weeks to buy a bike for ${bike}. How many "
        "dollars "
        "are still missing?",
        {"start": range(20, 90), "weekly": range(13, 30), "weeks": range(5, 12), "bike": range(400, 900, 10)},
        (
            Step("saved", "the money that is saved", "weekly * weeks", "How does the money grow from week to week?",
                 "week, weeks, weekly, saves, saving, saved, grow, grows, each week, per week"),
            Step("total", "the money in all", "start + saved", "What was there before the saving began, and what "
                 "becomes "
                 "of it?", "before, start, began, beginning, already, in all, had, at first, initial, total"),
            Step("missing", "the money that is missing", "bike - total", "How does the money compare with the price of "
                 "the bike?", "bike, price, missing, still, short, lacking, needed, need"),
        ),
        (
            Mistake("saved", "weekly + weeks", "you put the weeks and the money together", "one week, two weeks, "
                    "repeated"),
            Mistake("total", "saved - start", "what was there at the start is taken off", "add, subtract, gone, keeps"),
        ),
    ),
    Template(
        "wall", "units",
        "A wall is {wide} metres wide and {high} metres high. The window in it takes up {window} square metres. Paint "
        "costs ${price} for a square metre. How much does the paint for the wall cost?",
        {"wide": range(7, 16), "high": range(4, 9), "window": range(3, 12), "price": range(13, 25)},
        (
            Step("area", "the area of the wall", "wide * high", "How do you find how large a wall is in square metres?",
                 "area, large, square, size of the wall, surface, width, height, rectangle, "
                 "wide, high, cover"),
            Step("paint", "the area to be painted", "area - window", "Does the window get paint, and what does that "
                 "mean?", "window, painted, glass, not painted, without paint, actually paint"),
            Step("cost", "the cost of the paint", "paint * price", "How do you get from square metres to money?",
                 "cost, costs, price, money, dollars, pay, square"),
        ),
        (
            Mistake("area", "2 * (wide + high)", "the size of a wall is the way around it", "around, perimeter, edge"),
            Mistake("paint", "area + window", "the window comes on top", "add, subtract, extra, less"),
        ),
    ),
    Template(
        "novel", "fractions",
        "A novel has {pages} pages. On Monday {name} reads {percent}% of it, on Tuesday a third of what is left then. "
        "How "
        "many pages are left for Wednesday?",
        {"pages": range(120, 900, 20), "percent": (10, 15, 20, 25, 30, 40, 45)},
        (
            Step("monday", "the pages of Monday", "pages * percent / 100", "What does the percent sign tell you about "
                 "Monday's pages?", "monday, monday's, percent, percentage, hundred, first day"),
            Step("rest", "the pages left on Monday evening", "pages - monday", "How much of the novel is left on "
                 "Monday "
                 "evening?", "evening, after monday, monday evening, unread, end of monday, left after the first day"),
            Step("tuesday", "the pages of Tuesday", "rest / 3", "A third of what does Tuesday's reading mean?",
                 "tuesday, tuesday's, third, second day"),
            Step("wednesday", "the pages for Wednesday", "rest - tuesday", "What remains for Wednesday?",
                 "wednesday, wednesday's, third day, remains, finally, last day"),
        ),
        (
            Mistake("monday", "pages / percent", "percent means that you divide by that number", "part of a hundred"),
            Mistake("tuesday", "pages / 3", "a third means a third of the novel", "of what, what is left then, whole"),
        ),
    ),
)  # fmt: skip
