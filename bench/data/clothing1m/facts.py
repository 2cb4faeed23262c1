"""What was published about Clothing1M as a whole: sizes, shares, confusions.

Source: Xiao et al., Learning from Massive Noisy Labeled Data for Image Classification, CVPR 2015;
sizes: the lists that come with the data.
"""

CLASS_NAMES = (
    "T-Shirt",
    "Shirt",
    "Knitwear",
    "Chiffon",
    "Sweater",
    "Hoodie",
    "Windbreaker",
    "Jacket",
    "Downcoat",
    "Suit",
    "Shawl",
    "Dress",
    "Vest",
    "Underwear",
)

SIZES = {
    "noisy_train": 1_000_000,
    "clean_train": 47_570,
    "clean_val": 14_313,
    "clean_test": 10_526,
}

BOTH_LABELS = {"clean_train": 24_637, "clean_val": 7_465, "clean_test": 5_395}
"""How many keys of a clean split have a noisy label as well; none of them is in noisy_train."""

# fmt: off
TRUE_CLASS_PERCENT = (
    7.5, 7.8, 3.8, 10.8, 5.5, 7.9, 5.7, 3.1, 8.4, 8.9, 7.3, 7.4, 7.0, 9.1,
)

PERCENT_OF_TRUE_COLUMN_LABELED_ROW = (
    (63,  8, 13, 15, 14,  2,  0,  0,  0,  0,  0,  6,  9,  4),
    ( 3, 75,  2, 20,  0,  1,  1,  8,  0,  0,  0,  2,  1,  0),
    ( 7,  1, 42,  1, 62,  3,  1,  0,  0,  0,  3,  4,  2,  1),
    ( 2,  4,  0, 46,  0,  0,  0,  0,  0,  0,  0,  2,  1,  0),
    ( 1,  0, 26,  0, 11,  0,  0,  0,  0,  0,  0,  0,  0,  1),
    ( 5,  0,  2,  0,  2, 67,  1,  3,  1,  0,  0,  0,  0,  0),
    ( 0,  0,  0,  0,  0,  3, 56, 26, 17, 13,  1,  3,  0,  0),
    ( 2,  2,  0,  0,  0, 16,  8, 51, 13,  4,  0,  0,  2,  0),
    ( 0,  0,  0,  0,  0,  0, 20,  4, 52,  0,  0,  0,  0,  0),
    ( 0,  1,  0,  0,  0,  0,  4,  0,  0, 75,  0,  0,  0,  0),
    ( 0,  0,  1,  0,  0,  0,  0,  0,  0,  0, 92,  0,  0,  0),
    ( 7,  4,  6, 12,  4,  0,  3,  3,  0,  3,  0, 73, 27,  2),
    ( 1,  0,  1,  2,  1,  0,  0,  1, 11,  0,  0,  3, 46, 10),
    ( 4,  0,  0,  0,  2,  1,  0,  0,  0,  0,  0,  1,  6, 76),
)
"""As printed: whole percents, entries under 1 % left blank, so columns sum to 93 ... 96."""
# fmt: on
