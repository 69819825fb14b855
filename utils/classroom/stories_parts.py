"""Stories with fractions, percentages and units."""

from utils.classroom.templates import Mistake, Step, Template

TEMPLATES = (
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
            Mistake("sale", "price + off", "the discount is put on the price", "save, saving, less, more, "
                    "add"),
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
                 "together?", "put together, both, combine, combined, pool, two collections, join, joint"),
            Step("now", "all stickers", "both + bought", "What does buying do to the pile that they have?",
                 "buy, buying, bought, new ones, extra, purchase, final"),
        ),
        (
            Mistake("third", "first * 3", "a third as many means three times as many", "fewer, smaller"),
            Mistake("both", "first - third", "together means how many one has over the other", "putting"),
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
                 "hour, hours, minutes in an hour, minutes, convert, conversion, clock"),
            Step("filled", "the litres that are in the tank", "minutes * rate", "How much water has the pump moved in "
                 "all that time?", "water, moved, pumped, pump, each minute, per minute, every minute, rate, tank"),
            Step("room", "the litres that still fit in", "holds - filled", "How does what is in the tank compare with "
                 "what it holds?", "holds, still fit, fit, capacity, full, room, space, empty, left, tank"),
        ),
        (
            Mistake("minutes", "hours * 100", "an hour has a hundred minutes", "how many minutes"),
            Mistake("filled", "minutes + rate", "you put the minutes and the litres together", "one minute, two"
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
            Mistake("whole", "metres * 10", "a metre has ten centimetres", "how many centimetres, ten"),
            Mistake("used", "pieces + long", "you put the number of pieces and their length together", "one piece"),
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
                 "now?", "new wage, new pay, before, after, hour, hourly, increase"),
            Step("week", "the money for the week", "new * hours", "How does the work of one hour become that of the "
                 "week?", "week, weekly, total, whole week, hours, all the hours"),
        ),
        (
            Mistake("rise", "wage * percent / 10", "percent means tenths", "tenth, tenths, part of a hundred"),
            Mistake("new", "wage - rise", "the rise is taken off the wage", "rises, rise, more, less"),
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
            Mistake("paint", "area + window", "the window comes on top", "extra, less"),
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
