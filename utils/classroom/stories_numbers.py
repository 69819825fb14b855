"""Stories with whole numbers and with rates."""

from utils.classroom.templates import Mistake, Step, Template

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
                 "change, pays, paid, cashier, remaining money, handed"),
        ),
        (
            Mistake("books", "count + price", "you put the number of notebooks and the price together",
                    "several, per item, price of one"),
            Mistake("total", "books + bag * count", "there is a backpack for each notebook", "how many backpacks"),
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
                 "the drive?", "second part, second leg, second stretch, second half, afterwards, later, next "
                 "leg"),
            Step("sum", "the miles so far", "one + two", "How do the two parts make up the way that is done so far?",
                 "so far, both parts, both legs, both distances, covered, driven, travelled, traveled, add up"),
            Step("left", "the miles left", "distance - sum", "How does the way so far compare with the whole trip?",
                 "left, whole trip, entire trip, remain, remaining, to go, total trip, rest of the trip"),
        ),
        (
            Mistake("two", "later * speed", "the car goes at the same speed all the time", "speed, fast, faster, "
                    "change"),
            Mistake("sum", "two - one", "the way so far is how much longer one part is"),
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
            Step("money", "the money", "both * price", "How do you turn cups into money, when each cup has its price?",
                 "money, price, cost, costs, each cup, per cup, one cup, dollars, earn, revenue"),
        ),
        (
            Mistake("others", "cups * more", "more than means times", "compare"),
            Mistake("money", "both + price", "you put the cups and the price together", "every cup, several"),
        ),
    ),
    Template(
        "fence", "arithmetic",
        "A garden is {length} metres long and {width} metres wide. A fence goes all around it, except for a gate of "
        "{gate} metres. A metre of fence costs ${price}. How much does the fence cost?",
        {"length": range(15, 45), "width": range(7, 30), "gate": range(2, 6), "price": range(3, 20)},
        (
            Step("around", "the way around the garden", "2 * (length + width)", "If you walk all around the garden, "
                 "which sides do you pass?", "around, sides, side, perimeter, length, width, walk, edge, rectangle, "
                 "round, border, shape, opposite, four"),
            Step("fence", "the length of the fence", "around - gate", "Where is there no fence, and what does that "
                 "change?", "gate, no fence, except, opening, gap, entrance"),
            Step("cost", "the cost of the fence", "fence * price", "How do you get from metres of fence to money?",
                 "cost, costs, price, money, dollars, each metre, per metre, a metre, pay"),
        ),
        (
            Mistake("around", "length + width", "a garden has a long and a wide side, and that is all", "two sides, "
                    "corners"),
            Mistake("fence", "around + gate", "the gate comes on top", "longer, shorter"),
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
                 "orders, today, today's, needed today, all the cakes, ordered"),
            Step("stay", "the flour that stays in the bag", "bag - need", "What happens to the bag when the orders are "
                 "baked?", "bag, stay, stays, left, remain, remaining, sack, leftover"),
        ),
        (
            Mistake("one", "flour - cakes", "you take the cakes away from the flour", "equally, "
                    "subtract"),
            Mistake("need", "flour + orders", "you put the new orders on top of the flour", "how many cakes"),
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
                 "mean, average, divide, number of games, how many games, share, equally"),
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
            Mistake("total", "saved - start", "what was there at the start is taken off", "gone, keeps"),
        ),
    ),
)  # fmt: skip
