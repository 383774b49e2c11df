"""What may be written in a dialect, as values: dialects, blocks, keywords, arguments, cases.

The values say what the tables in `grammar/` say and nothing else; `schema.load` makes them.
A condition between two keywords has no place here, it is a lint rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drctl import quickclass
from drctl.quickclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def version_of(text: str) -> tuple[int, ...]:
    """`2.3.2` as numbers that compare as versions do; `2.4` is 2.4.0, the first of its kind."""
    numbers = tuple(map(int, text.split(".")))
    return numbers + (0,) * (3 - len(numbers))


@dataclass(frozen=True, slots=True)
class Argument:
    """One word behind a keyword.

    `type` is a word of the dialect's `types`. `values` lists the allowed words of an enumeration.
    `minimum` and `maximum` are inclusive, in the keyword's unit. An argument with `repeated` is
    the last one and stands for all further words.
    """

    name: str
    type: str
    optional: bool = False
    repeated: bool = False
    values: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """An example that is also a test: one or more lines inside the keyword's block.

    `message` is what the dialect's own program says when it refuses the last line of `text`;
    empty when it refuses in other words, None when it accepts.
    """

    text: str
    message: str | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether the dialect's own program takes this text."""
        return self.message is None


@dataclass(frozen=True, slots=True)
class Keyword:
    """One keyword of one block.

    `default` is written as in a file; None means unset. `default_from` names keywords whose value
    counts without this one, before `default` does, and in this order: `BLOCK.KEYWORD` of a block
    around this one or of one that all share, `KEYWORD` of the block itself. `unit` is the unit of
    its numbers (`s`, `ms`, `us`). `opens` is the path of the block that the keyword opens. `since`
    is the first version that knows the keyword, `removed` the first known to refuse it,
    `deprecated` the first that advises `replacement` instead. `field` is the model's field, where
    one statement sets one.

    What the dialect's own program does with a statement that is not as it should be:

    - `missing`, without a required word: `refused` it says so and goes on without the statement,
      `stops` it says so and reads no further, `ignored` it goes on without a word;
    - `extra`, with more words than `args` has: `ignored`, or `refused` with a message;
    - `again`, a second time in the same block (of a block with a name: one of the same name):
      `replaces` the last counts, `reported` the last counts and it says so, `refused` the first
      counts and it says so, `kept` the first counts, `adds` both count.

    A number outside `advised` (inclusive) but inside the argument's own range is reported and then
    changed or taken. A first word of more than `longest` bytes is refused, with `is_cut` reported
    and cut. `after` names the keyword that must stand above this one. `newer` are the arguments
    of later versions, oldest first.
    """

    name: str
    args: tuple[Argument, ...]
    doc: str
    default: str | None = None
    default_from: tuple[str, ...] = ()
    unit: str | None = None
    field: str | None = None
    opens: str | None = None
    repeatable: bool = False
    aliases: tuple[str, ...] = ()
    since: str | None = None
    removed: str | None = None
    deprecated: str | None = None
    replacement: str | None = None
    notes: tuple[str, ...] = ()
    missing: str = "refused"
    extra: str = "ignored"
    again: str = "replaces"
    advised: tuple[float | None, float | None] | None = None
    longest: int | None = None
    is_cut: bool = False
    after: str | None = None
    newer: tuple[tuple[str, tuple[Argument, ...]], ...] = ()
    read_cases: Callable[[], tuple[Case, ...]] = quickclass.field(
        default=tuple, repr=False, compare=False
    )
    read_example: Callable[[], str] = quickclass.field(default=str, repr=False, compare=False)

    @property
    def cases(self) -> tuple[Case, ...]:
        """The examples, read from the table's file on first use."""
        return self.read_cases()

    @property
    def example(self) -> str:
        """A statement as people write it, with those above that it needs; often empty where the
        keyword alone says it."""
        return self.read_example()

    def args_in(self, version: tuple[int, ...]) -> tuple[Argument, ...]:
        """The arguments that version `(2, 3, 2)` of the dialect's own program takes."""
        args = self.args
        for since, newer in self.newer:
            if version >= version_of(since):
                args = newer
        return args

    @property
    def required(self) -> int:
        """Number of words that must follow the keyword."""
        return sum(not argument.optional for argument in self.args)


@dataclass(frozen=True, slots=True)
class Block:
    """What may stand between the braces of one kind of block.

    `path` is the table's place below the dialect's folder (`virtual/server`); the outermost level
    has the path `""`. `keywords` has aliases as keys too. `entry` describes the lines of a value
    block, which have no keyword; None for others. A `raw` block holds text that is not statements.

    `read_by` are the program's processes that read what is inside, where it has several.
    `since` has the versions of included keywords that came later, or earlier, to this block than
    the keyword says. `required` are the keywords without which the block is refused, changed or of
    no use. Of a value block without lines, `empty` tells: `ignored`, or `reported` with a message.
    """

    path: str
    doc: str
    keywords: Mapping[str, Keyword]
    entry: tuple[Argument, ...] | None = None
    raw: bool = False
    read_by: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    empty: str = "ignored"
    read_cases: Callable[[], tuple[Case, ...]] = quickclass.field(
        default=tuple, repr=False, compare=False
    )
    since: Mapping[str, str] = quickclass.field(default_factory=dict)

    def since_of(self, keyword: Keyword) -> str | None:
        """The first version that knows the keyword in this block; None for the oldest."""
        return self.since.get(keyword.name, keyword.since)

    def knows(self, keyword: Keyword, version: tuple[int, ...]) -> bool:
        """Whether `version` knows the keyword in this block."""
        since = self.since_of(keyword)
        if since is not None and version_of(since) > version:
            return False
        return keyword.removed is None or version_of(keyword.removed) > version

    @property
    def cases(self) -> tuple[Case, ...]:
        """Examples of a value block's lines, read from the table's file on first use."""
        return self.read_cases()

    @property
    def keyword(self) -> str:
        """The word that usually opens this block; empty for the outermost level."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Lexical:
    """How a dialect's text falls into lines and words, as its own program reads it.

    `comment_at` is `line-start` or `anywhere` (outside quotes); `equals` is `required` or `none`;
    `brace_at` is `last-word` (an opening brace is the last of a header's words and a closing one
    the first of its line) or `anywhere`. `maximum_words` and `maximum_line` (bytes) are None
    without limit. `value_of_quotes` lists the quotes that are taken off a value when it is used.
    """

    comment_marks: tuple[str, ...]
    comment_at: str
    quotes: tuple[str, ...]
    value_of_quotes: tuple[str, ...]
    blanks: tuple[str, ...]
    equals: str
    brace_at: str
    maximum_words: int | None = None
    maximum_line: int | None = None


@dataclass(frozen=True, slots=True)
class Dialect:
    """One configuration language: `name` is `lvs.cf` or `keepalived`.

    `version` is the release that the table was measured against. `types` maps each argument type to
    what it takes. `blocks` maps paths to blocks and reads a block's file on first access.
    """

    name: str
    version: str
    lexical: Lexical
    types: Mapping[str, str]
    blocks: Mapping[str, Block]

    @property
    def root(self) -> Block:
        """The outermost level."""
        return self.blocks[""]
