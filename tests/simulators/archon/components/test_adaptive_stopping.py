"""Adaptive stopping: the model is asked after each answer whether a new start would help."""

from hypothesis import given
from hypothesis import strategies as st

from tests.simulators.archon.scripted import Ask, Scripted, one, result, texts

FATES = st.lists(st.sampled_from(["again", "keep", "unclear", "unheard", "lost"]), min_size=1, max_size=8)


def script(fates: list[str], first: int = 0) -> Scripted:
    """Return a context in which the ``i``-th answer is lost, kept, or found worth a new start."""

    def reply(ask: Ask) -> str | None:
        fate = fates[ask.sample - first]
        if "AGAIN" not in ask.text:
            return None if fate == "lost" else f"answer {ask.sample - first}"
        assert f"Answer:\nanswer {ask.sample - first}\n" in ask.text
        return {"again": "It is a guess. AGAIN", "keep": "It is sure: KEEP", "unclear": "hm"}.get(fate)

    return Scripted(reply, first=first)


@given(FATES, st.integers(0, 20))
def test_it_stops_at_the_first_answer_that_is_kept_and_gives_that(fates: list[str], first: int) -> None:
    context = script(fates, first)
    left = texts(result(one("adaptive_stopping", samples=len(fates)), context))
    # after the last one nobody asks; one that is lost or not judged is no reason to stop
    stop = next((i for i, fate in enumerate(fates[:-1]) if fate == "keep"), len(fates))
    drawn = [f"answer {i}" for i, fate in enumerate(fates[:stop]) if fate != "lost"]
    assert left == ([f"answer {stop}", *drawn] if stop < len(fates) else drawn)
    answers = [ask for ask in context.asked if "AGAIN" not in ask.text]
    assert [ask.sample for ask in answers] == list(range(first, first + min(stop + 1, len(fates))))
    lost = stop == len(fates) and len(drawn) < len(fates)
    assert (f"adaptive_stopping drew {len(drawn)} of {len(fates)} answers" in context.notes) is lost


def test_what_is_not_drawn_is_no_failure() -> None:
    left = result(one("adaptive_stopping", samples=5), script(["keep"]))
    assert None not in left and texts(left) == ["answer 0"]
    fuser = Scripted(lambda ask: "fused")
    result(one("fuser"), fuser, left)
    assert fuser.notes == [] and "[2]" not in fuser.asked[0].text


def test_one_answer_after_the_other() -> None:
    context = script(["again"] * 4)
    component = one("adaptive_stopping", samples=4)
    result(component, context)
    assert context.most_at_once == 1 and len(context.asked) == component.kind.work(component, 0).calls == 7
