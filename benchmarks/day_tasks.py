"""The twelve tasks of a working day in the dashboard, as a person does them in the browser.

``bench_day.py`` times every interaction. Each task takes the page as the one before it left it; a day begins and ends
with an empty recipe. The sentences differ from day to day, so that no answer is there before it is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from clicks import outline
from dashboard import settle
from playwright.sync_api import Locator, Page, expect

from benchmarks.bench_pages import Clock

PATIENCE = 120_000
"""Milliseconds to wait for something to appear."""

SENTENCES = (
    ("how to parse a date from a string", "the connection to the server was closed", "a study of cell growth"),
    ("convert an image to another format", "raise an error when the argument is wrong", "music and instruments"),
    ("read a configuration file", "a lock that several threads share", "the history of a city"),
    ("compute the mean of an array", "send a message to a mailing list", "plants and animals"),
)
"""What a day looks for by meaning: to rank by, to keep the nearest of, to colour the map by."""

BOILERPLATE = (
    "Licensed under the Apache License, you may not use this file except in compliance with the License",
    "This program is free software: you can redistribute it and modify it under the terms of the license",
    "Permission is hereby granted, free of charge, to any person obtaining a copy of this software",
    "The software is provided as is, without warranty of any kind, express or implied",
)
WORDS = ("file", "value", "class", "return")


@dataclass(frozen=True)
class Day:
    """One day of one person.

    Attributes:
        page: the browser's page.
        clock: keeps the time of each interaction, named ``TASK: INTERACTION``.
        number: of the day, from 0; it chooses what is looked for.
        group: title of the category by which cuts differ.
        task: the task at hand.
    """

    page: Page
    clock: Clock
    number: int
    group: str
    task: str = ""

    def at(self, task: str) -> Day:
        """Return the day at a task."""
        return Day(self.page, self.clock, self.number, self.group, task)

    def do(self, name: str, act: Callable[[], object], *, seen: Locator | None = None) -> None:
        """Do something and wait for the server, and for what shows that it is done."""

        def whole() -> None:
            act()
            if seen is not None:
                expect(seen).to_be_visible(timeout=PATIENCE)

        self.clock.time(f"{self.task}: {name}", whole)

    def press(self, name: str, button: str | re.Pattern[str], *, seen: Locator | None = None) -> None:
        """Press a button."""
        self.do(name, lambda: self.button(button).click(timeout=PATIENCE), seen=seen)

    def button(self, name: str | re.Pattern[str]) -> Locator:
        """Return the first button of a name."""
        return self.page.get_by_role("button", name=name, exact=isinstance(name, str)).first

    def open(self, name: str) -> None:
        """Open a page by its link."""
        link = self.page.get_by_role("link", name=name).first
        self.do(f"open {name}", link.click, seen=self.page.get_by_role("button", name="Undo"))

    def find(self, name: str, text: str, kind: str, *, seen: Locator | None = None) -> None:
        """Send a text from the command bar."""

        def act() -> None:
            self.page.get_by_role("combobox", name="Kind of search").click()
            self.page.get_by_role("option", name=kind, exact=True).click()
            field = self.page.get_by_role("textbox", name="Search", exact=True)
            field.fill(text)
            field.press("Enter")

        self.do(name, act, seen=seen)

    def choose(self, name: str, label: str, option: str | re.Pattern[str], *, seen: Locator | None = None) -> None:
        """Choose an entry of a list."""

        def act() -> None:
            self.page.get_by_role("combobox", name=label).first.click()
            self.page.get_by_role("option", name=option).first.click()

        self.do(name, act, seen=seen)

    @property
    def rail(self) -> Locator:
        """Return the rail."""
        return self.page.get_by_test_id("stSidebar")

    def said(self, words: str | re.Pattern[str]) -> Locator:
        """Return what the rail says."""
        return self.rail.get_by_text(words).first


def search_by_words(day: Day) -> None:
    """Search words over all rows, read the list, and clear."""
    day.open("Documents")
    words = WORDS[day.number % len(WORDS)]
    day.find("search", words, "Words", seen=day.said(re.compile(f"“{words}”")))
    day.press("next page", "Next")
    day.press("clear", "Clear", seen=day.said(re.compile("nothing selected")))


def search_by_meaning(day: Day) -> None:
    """Rank by a sentence, move the floor, make the selection a rule, and undo it."""
    sentence = SENTENCES[day.number % len(SENTENCES)][0]
    day.find("rank by a sentence", sentence, "Meaning", seen=day.page.locator(".tamis-meaning", has_text=sentence))
    slider = day.page.get_by_role("slider", name="Smallest cosine")
    for _ in range(2):
        day.do("move the floor", lambda: slider.press("ArrowRight"))
    day.press("select those above", "Select those above", seen=day.button("Keep only"))
    day.press("keep only these", "Keep only", seen=day.page.get_by_test_id("funnel"))
    day.press("undo", re.compile("Undo"))
    day.press("clear", "Clear", seen=day.said(re.compile("nothing selected")))
    day.press("end the search", "End this search")


def drop_boilerplate(day: Day) -> None:
    """Find boilerplate by meaning and drop it."""
    sentence = BOILERPLATE[day.number % len(BOILERPLATE)]
    told = day.page.locator(".tamis-meaning", has_text=sentence[:40])
    day.find("rank by a sentence", sentence, "Meaning", seen=told)
    day.press("select those above", "Select those above", seen=day.button("Drop"))
    day.press("drop", "Drop", seen=day.page.get_by_test_id("funnel"))
    day.press("end the search", "End this search")


def drop_near_duplicates(day: Day) -> None:
    """See what thresholds drop, add the rule at one of them, and read the next group."""
    day.open("Duplicates")
    slider = day.page.get_by_role("slider", name="Jaccard")
    near = day.page.get_by_role("radio", name="Near").or_(day.button("Near")).first
    day.do("near-duplicates", near.click, seen=slider)
    for _ in range(2):
        day.do("move the threshold", lambda: slider.press("ArrowLeft"))
    day.press("add the rule", "Add to the recipe", seen=day.button("In the recipe"))
    day.do("next group", lambda: day.page.locator("body").press("j"))


def keep_the_nearest(day: Day) -> None:
    """Keep the documents that are most like a sentence."""
    sentence = SENTENCES[day.number % len(SENTENCES)][1]
    told = day.page.locator(".tamis-meaning", has_text=sentence)
    day.find("rank by a sentence", sentence, "Meaning", seen=told)
    day.do("floor by share", lambda: day.page.get_by_role("radio", name="Share").or_(day.button("Share")).first.click())
    share = day.page.get_by_role("spinbutton", name="The nearest share of documents")
    day.do("keep half", lambda: (share.fill("50"), share.press("Enter")))
    day.press("keep the nearest", re.compile("^Keep the nearest"), seen=day.said("target-similarity"))
    day.press("end the search", "End this search")


def cut_by_group(day: Day) -> None:
    """Cut every group at a percentile of its own."""
    day.open("Quality")
    day.do("look by group", lambda: day.page.get_by_role("tab", name=re.compile("^By ")).click())
    day.do("choose the group", lambda: day.page.get_by_role("radio", name=day.group, exact=True).click())
    low = day.page.get_by_role("radiogroup", name="Drop below its percentile").get_by_role(
        "radio", name="5%", exact=True
    )
    day.do("choose a percentile", low.click, seen=day.page.get_by_text("documents that reach it").first)
    day.press("save as rule", "Save as rule", seen=day.said("percentile-band"))


def ask_why(day: Day) -> None:
    """Read why a document was dropped, its twin, and go back."""
    day.open("Documents")
    dropped = day.page.get_by_role("radio", name="dropped").or_(day.button("dropped")).first
    day.do("list the dropped", dropped.click)
    rows = day.page.locator(".tamis-table tbody tr")
    day.choose("dropped by near-duplicates", "Dropped by", re.compile("near-dedup"))
    name = rows.nth(3).get_attribute("data-id") or ""
    day.find("ask for an id", name, "Id", seen=day.page.get_by_test_id("why"))
    day.press("read the twin", "Read the twin")
    day.press("back", "Back")
    day.press("close", "Close")


def compare_with_saved(day: Day) -> None:
    """See what the recipe loses against a saved one, select it, and clear."""
    day.open("Recipe")
    day.do("compare", lambda: day.page.get_by_role("tab", name="Compare").click())
    weekly = day.page.get_by_test_id("stRadio").get_by_text("weekly", exact=True)
    day.do("with last week's", weekly.click, seen=day.page.get_by_text("documents lost").first)
    day.press("select the lost", re.compile("^Select the .* lost$"), seen=day.button("Keep only"))
    day.press("clear", "Clear", seen=day.said(re.compile("documents$")))


def draw_a_lasso(day: Day) -> None:
    """Select an area of the map, read what it holds and one of its documents, and clear."""
    day.open("Map")
    outline(day.page, radius=90 + 5 * day.number)
    day.do("lasso", day.page.mouse.up, seen=day.button("Keep only"))
    day.press("other documents", "Other documents")
    day.press("read one", re.compile("^Read document"), seen=day.button("Close"))
    day.press("close", "Close")
    day.press("clear", "Clear")


def colour_by_similarity(day: Day) -> None:
    """Colour the map by a sentence, and by cluster again."""
    day.choose("colour by similarity", "Colour by", re.compile("^Similarity to"))
    sentence = SENTENCES[day.number % len(SENTENCES)][2]
    field = day.page.get_by_role("textbox", name="Similar to")
    day.do("to a sentence", lambda: (field.fill(sentence), field.press("Enter")))
    day.choose("colour by cluster", "Colour by", re.compile("^Cluster"))


def order_pick_and_read(day: Day) -> None:
    """Order all documents, pick two, select them, read one, the nearest of it, and go back."""
    day.open("Documents")
    everything = day.page.get_by_role("radio", name="all", exact=True).or_(day.button("all")).first
    day.do("list all", everything.click)
    table = day.page.locator(".tamis-table")
    tokens = table.locator("th").get_by_role("button", name="Tokens")
    for _ in range(2):
        day.do("order by tokens", tokens.click, seen=table.locator("th[aria-sort]:not([aria-sort=none])"))
    for place in (0, 2):
        tick = table.locator("tbody tr").nth(place).get_by_role("checkbox")
        day.do("pick a row", tick.check, seen=day.button(re.compile("^Select the .* picked$")))
    day.press("select the picked", re.compile("^Select the .* picked$"), seen=day.button("Keep only"))
    day.do("read a document", table.locator("tbody tr").first.click, seen=day.button("Close"))
    day.page.get_by_text("Nearest documents").first.click()
    day.press("read a near one", "Read")
    day.press("back", "Back")
    day.press("close", "Close")
    day.press("clear", "Clear")
    day.do("order by id", tokens.click)


def edit_and_review(day: Day) -> None:
    """Undo, redo, rename and edit a rule; decide three documents; set the recipe aside."""
    day.press("undo", re.compile("Undo"))
    day.press("redo", re.compile("Redo"))
    day.open("Recipe")
    day.do("edit a step", day.page.get_by_text("Edit", exact=True).first.click)
    name = day.page.get_by_role("textbox", name="Name", exact=True)
    day.do("name the step", lambda: (name.fill("licences-go"), name.press("Tab")))
    floor = day.page.get_by_role("spinbutton", name=re.compile("cosine", re.IGNORECASE)).first
    day.do("change its number", lambda: (floor.fill("0.61"), floor.press("Tab")))
    day.press("apply", "Apply", seen=day.said("licences-go"))
    day.open("Review")
    for key in "kdu":
        day.do("decide", lambda key=key: day.page.keyboard.press(key))
    day.find("set the recipe aside", "Set the recipe aside", "Action", seen=day.said(re.compile("no rules yet")))


TASKS: Mapping[str, Callable[[Day], None]] = {
    "words": search_by_words,
    "meaning": search_by_meaning,
    "boilerplate": drop_boilerplate,
    "near-duplicates": drop_near_duplicates,
    "like a sentence": keep_the_nearest,
    "cut by group": cut_by_group,
    "why": ask_why,
    "compare": compare_with_saved,
    "lasso": draw_a_lasso,
    "similarity": colour_by_similarity,
    "table": order_pick_and_read,
    "edit and review": edit_and_review,
}
"""The tasks in the order of the day."""


def spend_day(day: Day) -> None:
    """Do all tasks, one after the other."""
    for name, task in TASKS.items():
        task(day.at(name))
    settle(day.page)
