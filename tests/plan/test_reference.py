"""The README's table of deployments is the plan's."""

from pathlib import Path

from glm4v_tui.plan import Load
from glm4v_tui.plan.reference import reference


def test_the_readme_has_the_table_as_it_is_computed():
    readme = Path(__file__).parents[2] / "README.md"
    _, _, rest = readme.read_text("utf-8").partition("<!-- plan -->\n")
    assert rest.partition("<!-- /plan -->")[0] == reference()
    assert f"a context of {Load().context:,} tokens" in readme.read_text("utf-8")
