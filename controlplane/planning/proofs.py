"""One proof for each kind of behaviour: stimuli that firmware cannot know, and what follows."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from controlplane.domain.design import Behaviour, BehaviourKind, DesignSignal
from controlplane.planning.cloud_proofs import (
    follow_published,
    no_published_press,
    presses_published,
    published_change,
    published_press,
    published_state,
)
from controlplane.planning.timeline import (
    ASIDE_MS,
    PHASE_MS,
    REACTION_MS,
    SETTLED_MS,
    SHOWN_IN_MAIN_MS,
    START_MS,
    Timeline,
    console_line,
    exactly,
    gaps,
    press_lines,
    printed_at,
    single_quoted,
    spoken,
    step_of,
)


@dataclass(slots=True)
class Proofs(Timeline):
    """A timeline that can prove behaviours, one after the other."""

    def blink(self, behaviour: Behaviour) -> None:
        """Rate from rising edges; the time on, so that a wrong duty cycle shows."""
        led = behaviour.signals[0]
        period, on = behaviour.number("period"), behaviour.number("on")
        begin = 0 if period >= 1000 else SETTLED_MS
        count = gaps(period)
        self.add(
            begin,
            f"expect_period: {{id: {led}_rate, pin: {led}, edge: rising, after: {begin}ms, "
            f"period: {round(period)}ms, tolerance: {self.tolerance(period)}, count: {count}}}",
        )
        slack = max(2, int(on / 50), self.held_up_ms)
        self.add(
            begin,
            f"expect: {{id: {led}_on, pin: {led}, edge: rising, after: {SETTLED_MS}ms, "
            f"within: {round(period) + REACTION_MS}ms}}",
            f"expect: {{id: {led}_off, pin: {led}, edge: falling, "
            f"within: {round(on) + REACTION_MS}ms}}",
            f"expect_latency: {{id: {led}_on_time, from: {led}_on, to: {led}_off, "
            f"max: {round(on) + slack}ms, min: {max(0, round(on) - slack)}ms}}",
        )
        self.until(begin + round(period * (count + 1)) + START_MS)
        self.until(SETTLED_MS + round(period + on) + 2 * REACTION_MS)
        self.proves.append(behaviour.id)

    def report(self, behaviour: Behaviour) -> None:
        """The period of the lines; values are judged where stimuli change."""
        period = behaviour.number("period")
        name, regex = self.report_line(behaviour)
        begin = 0 if period >= 1000 else SETTLED_MS
        count = gaps(period)
        self.add(
            begin,
            f"expect_period: {{id: {name}_period, line: {single_quoted(regex)}, after: {begin}ms, "
            f"period: {round(period)}ms, tolerance: {self.tolerance(period)}, count: {count}}}",
        )
        self.until(begin + round(period * (count + 1)) + START_MS)
        self.proves.append(behaviour.id)
        kind = behaviour.word("value")
        if kind == "sensor":
            signal = self.signals[behaviour.signals[0]]
            self.show_value(f"{name}_value", signal, behaviour, after=0, within=START_MS)
        elif kind in ("presses", "position"):
            self.add(
                0,
                f"expect: {{id: {kind}_none, line: '^{kind} 0$', within: {START_MS}ms}}",
                report=behaviour.id,
            )
        elif kind == "counter":
            for number in (1, 2):
                self.add(
                    round(period) * (number - 1),
                    f"expect: {{id: counter_{number}, line: '^counter {number}$', "
                    f"within: {round(period) + START_MS}ms}}",
                    report=behaviour.id,
                )
        elif kind == "uptime":
            self.uptime("uptime_value", behaviour, after=max(1000, round(period)))

    def uptime(self, name: str, behaviour: Behaviour, after: int) -> None:
        """A report of the uptime shows the time it is printed at."""
        period = round(behaviour.number("period"))
        self.add(
            printed_at(behaviour, after),
            f"expect: {{id: {name}, line: '^uptime (?P<v>[0-9]+) s$', after: {after}ms, "
            f'where: "v >= {after // 1000} and v <= {(after + period) // 1000 + 1}", '
            f"within: {period + START_MS}ms}}",
            report=behaviour.id,
        )
        self.until(after + period + START_MS + 100)

    def show_value(
        self, name: str, signal: DesignSignal, behaviour: Behaviour, *, after: int, within: int
    ) -> None:
        """A report shows the present stimulus."""
        regex = self.value_regex(f"{signal.line_name} ", signal)
        where = self.near(signal, self.level[signal.id])
        self.add(
            printed_at(behaviour, after),
            f'expect: {{id: {name}, line: {single_quoted(regex)}, where: "{where}", '
            f"after: {after}ms, within: {within}ms}}",
            report=behaviour.id,
        )

    def follow(self, behaviours: Sequence[Behaviour], signal: DesignSignal, limit: int) -> int:
        """Reports of a signal show its present stimulus; gives the time that takes (ms)."""
        longest = 0
        for behaviour in behaviours:
            shown = behaviour.kind is BehaviourKind.REPORT and signal.id in behaviour.signals
            period = round(behaviour.number("period")) if shown else limit
            if shown and period < limit and not self.has(f"{signal.id}_follows"):
                within = period + START_MS
                after = self.now + 100
                name = f"{signal.id}_follows"
                self.show_value(name, signal, behaviour, after=after, within=within)
                longest = max(longest, within + 200)
        return longest

    def threshold(self, behaviour: Behaviour, others: Sequence[Behaviour]) -> None:
        """Both directions, just beside each constant, and the band between them."""
        sensor, output = (behaviour.signals[0], behaviour.signals[1])
        signal = self.signals[sensor]
        on, off = behaviour.number("on_value"), behaviour.number("off_value")
        rising = behaviour.word("on_when").startswith(">")
        sign, unit = (1 if rising else -1), step_of(signal.unit)
        band = abs(on - off)
        inner = min(unit, band) if band else unit
        beyond, back = ("above", "below") if rising else ("below", "above")

        def beside(name: str, at: Fraction, direction: int, room: Fraction) -> None:
            edges = sorted((at + direction * room * 3 / 10, at + direction * room * 4 / 5))
            self.set(sensor, self.draw(f"{output}_{name}", edges[0], edges[1], signal))

        self.states(others, output, "off", after=0)
        if any(b.id in self.proves and b.signals[0] == sensor for b in _thresholds(others)):
            # Where the last proof has left the sensor this output may be on.
            beside("rests", off, -sign, unit)
            self.now += PHASE_MS
        start = self.now
        beside("near_on", on, -sign, inner)
        self.now += PHASE_MS
        self.add(
            self.now,
            f"never: {{id: {output}_quiet_{back}, pin: {output}, level: on, "
            f"after: {start}ms, until: {self.now}ms}}",
        )
        beside("beyond_on", on, sign, unit)
        self._switched(f"{output}_on_{beyond}", output, on=True)
        published_change(self, others, output, "on", within=REACTION_MS)
        self._stays(f"{output}_stays_on_{beyond}", output, "off")
        shown = self.follow(others, signal, limit=2001)
        self.now += max(PHASE_MS, shown, follow_published(self, others, signal, limit=2001))
        self.answers(others, sensor, output)
        self.now += self.states(others, output, "on", after=self.now)
        if band:
            beside("near_off", off, sign, inner)
            hold = self.now
            self.now += PHASE_MS
            self.add(
                self.now,
                f"never: {{id: {output}_holds_in_band, pin: {output}, level: off, "
                f"after: {hold}ms, until: {self.now}ms}}",
            )
        beside("beyond_off", off, -sign, unit)
        self._switched(f"{output}_off_{back}", output, on=False)
        published_change(self, others, output, "off", within=REACTION_MS)
        self._stays(f"{output}_stays_off_{back}", output, "on")
        self.now += PHASE_MS
        self.answers_again(others, sensor, output, "off")
        self.proves.append(behaviour.id)

    def states(
        self, behaviours: Sequence[Behaviour], output: str, state: str, *, after: int
    ) -> int:
        """Reports of an output say its state; gives the time that takes (ms)."""
        longest = published_state(self, behaviours, output, state, after=after)
        for behaviour in behaviours:
            shown = behaviour.kind is BehaviourKind.REPORT and behaviour.signals == (output,)
            if shown and behaviour.number("period") <= SHOWN_IN_MAIN_MS:
                within = round(behaviour.number("period")) + START_MS
                self.add(
                    printed_at(behaviour, after),
                    f"expect: {{id: {output}_said_{state}, line: '^{spoken(output)} is {state}$', "
                    f"after: {after}ms, within: {within}ms}}",
                    report=behaviour.id,
                )
                longest = max(longest, within)
        return longest

    def _switched(self, name: str, output: str, *, on: bool) -> None:
        self.add(
            self.now,
            f"expect: {{id: {name}, pin: {output}, level: {'on' if on else 'off'}, "
            f"after: {self.now}ms, within: {REACTION_MS}ms}}",
        )
        self.until(self.now + REACTION_MS + 100)

    def _stays(self, name: str, output: str, wrong: str) -> None:
        """Once it has switched it stays so: it does not chatter."""
        self.add(
            self.now,
            f"never: {{id: {name}, pin: {output}, level: {wrong}, "
            f"after: {self.now + REACTION_MS}ms, until: {self.now + PHASE_MS}ms}}",
        )

    def answers(self, behaviours: Sequence[Behaviour], sensor: str, output: str) -> None:
        """Commands about a sensor or an output, asked while their values are known."""
        for behaviour in behaviours:
            if behaviour.kind is not BehaviourKind.COMMAND or behaviour.id in self.proves:
                continue
            word = behaviour.word("command")
            if behaviour.signals == (sensor,):
                signal = self.signals[sensor]
                regex = self.value_regex(f"{word} {signal.line_name} ", signal)
                where = f', where: "{self.near(signal, self.level[sensor])}"'
                self.ask(behaviour, regex, where)
            elif behaviour.signals == (output,) and output:
                self.ask(behaviour, exactly(f"{word} {spoken(output)} on"), "")

    def answers_again(
        self, behaviours: Sequence[Behaviour], sensor: str, output: str, state: str
    ) -> None:
        """Commands that were asked before give another answer now."""
        for behaviour in behaviours:
            if behaviour.kind is not BehaviourKind.COMMAND or behaviour.id not in self.proves:
                continue
            word = behaviour.word("command")
            if sensor and behaviour.signals == (sensor,):
                signal = self.signals[sensor]
                regex = self.value_regex(f"{word} {signal.line_name} ", signal)
                where = f', where: "{self.near(signal, self.level[sensor])}"'
                self.ask_again(behaviour, regex, where)
            elif output and behaviour.signals == (output,):
                self.ask_again(behaviour, exactly(f"{word} {spoken(output)} {state}"), "")

    def ask_again(self, behaviour: Behaviour, regex: str, where: str, of: str = "again") -> None:
        """One more question, whose answer is known; ``of`` tells it from others in its id."""
        name = behaviour.id.removeprefix("command_")
        if self.has(f"{name}_{of}"):
            return
        at = self.now + ASIDE_MS
        self.add(
            at,
            f"send: {{at: {at}ms, text: {console_line(behaviour.word('command'))}}}",
            (
                f"expect: {{id: {name}_{of}, line: {single_quoted(regex)}{where}, "
                f"after: {at}ms, within: {REACTION_MS}ms}}"
            ),
        )
        self.now += PHASE_MS
        self.until(self.now)

    def ask(self, behaviour: Behaviour, regex: str, where: str) -> None:
        """A wrong question, which is not answered, and the right one."""
        word = behaviour.word("command")
        name = behaviour.id.removeprefix("command_")
        wrong = self.now + ASIDE_MS
        right = wrong + PHASE_MS
        self.add(
            wrong,
            f"send: {{at: {wrong}ms, text: {console_line(word + 'x')}}}",
            (
                f"never: {{id: {name}_not_for_others, line: {single_quoted(regex)}, "
                f"after: {wrong}ms, until: {right}ms}}"
            ),
        )
        self.add(
            right,
            f"send: {{at: {right}ms, text: {console_line(word)}}}",
            (
                f"expect: {{id: {name}_reply, line: {single_quoted(regex)}{where}, "
                f"after: {right}ms, within: {REACTION_MS}ms}}"
            ),
        )
        self.now = right - ASIDE_MS + PHASE_MS
        self.until(self.now)
        self.proves.append(behaviour.id)

    def command(self, behaviour: Behaviour, others: Sequence[Behaviour]) -> None:
        """A command that needs no stimulus of its own; what changes is asked twice."""
        word, kind = behaviour.word("command"), behaviour.word("value")
        if not kind:
            self.ask(behaviour, exactly(behaviour.word("answer")), "")
        elif kind == "presses":
            self.ask(behaviour, exactly(f"{word} presses {self.presses}"), "")
        elif kind == "uptime":
            regex = exactly(f"{word} uptime @ s").replace("@", "(?P<v>[0-9]+)")
            at = (self.now + PHASE_MS) // 1000
            self.ask(behaviour, regex, f', where: "v >= {at} and v <= {at + 1}"')
            self.now += 2000
            at = self.now // 1000
            self.ask_again(behaviour, regex, f', where: "v >= {at} and v <= {at + 1}"')
        elif kind == "counter":
            self._counter_command(behaviour, others)
        elif kind == "output":
            output = behaviour.signals[0]
            state = "off" if output in self.toggled else "(on|off)"
            self.ask(behaviour, f"{exactly(f'{word} {spoken(output)} ')[:-1]}{state}$", "")

    def _counter_command(self, behaviour: Behaviour, others: Sequence[Behaviour]) -> None:
        counters = [b for b in others if b.word("value") == "counter" and b.parameter("period")]
        period = round(counters[0].number("period"))
        regex = exactly(f"{behaviour.word('command')} counter @").replace("@", "(?P<v>[0-9]+)")

        def where(at: int) -> str:
            return f', where: "v >= {at // period} and v <= {(at + REACTION_MS) // period + 2}"'

        self.ask(behaviour, regex, where(self.now + PHASE_MS))
        if period <= 1500:
            self.now += 3 * period + REACTION_MS
            self.ask_again(behaviour, regex, where(self.now))

    def echo(self, behaviour: Behaviour) -> None:
        """A line with a drawn number comes back."""
        self.draws["echoed"] = "{draw: [1000, 9999], step: 1}"
        at = self.now + ASIDE_MS
        self.add(
            at,
            f'send: {{at: {at}ms, text: "line ${{echoed}}\\n"}}',
            (
                f"expect: {{id: echo, line: '^line ${{echoed}}$', after: {at}ms, "
                f"within: {REACTION_MS}ms}}"
            ),
        )
        self.now += PHASE_MS
        self.until(self.now)
        self.proves.append(behaviour.id)

    def button(self, behaviour: Behaviour, others: Sequence[Behaviour]) -> None:
        """Bounces count once, a pulse shorter than the debounce time does not count."""
        debounce = round(behaviour.number("debounce"))
        every = max(1, min(5, debounce // 5))
        settle = 8 * every + debounce
        hold = settle + debounce + 100
        lines = press_lines(behaviour)
        toggles = behaviour.signals[1:]
        self.toggled |= set(toggles)
        for output in toggles:
            self.states(others, output, "off", after=0)
        for number in (1, 2):
            press = self.now
            self.presses += 1
            self.add(
                self.now,
                (f"bounce: {{at: {press}ms, signal: button, to: on, times: 3, every: {every}ms}}"),
                (
                    f"bounce: {{at: {press + hold}ms, signal: button, to: off, times: 3, "
                    f"every: {every}ms}}"
                ),
            )
            for index, line in enumerate(lines):
                regex = exactly(line.replace("#", str(self.presses)))
                name = f"press_{number}" + (f"_{index + 1}" if index else "")
                self.add(
                    self.now,
                    f"expect: {{id: {name}, line: {single_quoted(regex)}, after: {press}ms, "
                    f"within: {settle + REACTION_MS}ms}}",
                )
            for output in toggles:
                level, edge = ("on", "rising") if number == 1 else ("off", "falling")
                self.add(
                    self.now,
                    f"expect: {{id: {output}_toggles_{level}, pin: {output}, edge: {edge}, "
                    f"after: {press}ms, within: {settle + REACTION_MS}ms}}",
                )
                published_change(self, others, output, level, within=settle + REACTION_MS)
            published_press(self, others, number, after=press, within=settle + REACTION_MS)
            self.now += hold + settle + REACTION_MS
            if number == 1:
                begin = self.now
                self._glitch(debounce, lines, toggles)
                no_published_press(self, others, begin, self.now)
                self._after_one(others, toggles)
        self._counted(lines, toggles)
        presses_published(self, others)
        self.until(self.now)
        self.proves.append(behaviour.id)

    def _after_one(self, behaviours: Sequence[Behaviour], toggles: Sequence[str]) -> None:
        """What is said about presses and toggled outputs after an odd number of presses."""
        for output in toggles:
            self.now += self.states(behaviours, output, "on", after=self.now)
        for behaviour in behaviours:
            if behaviour.kind is not BehaviourKind.COMMAND:
                continue
            word = behaviour.word("command")
            if behaviour.word("value") == "presses":
                regex = exactly(f"{word} presses {self.presses}")
                self.ask_again(behaviour, regex, "", of="after_one")
            elif behaviour.signals and behaviour.signals[0] in toggles:
                regex = exactly(f"{word} {spoken(behaviour.signals[0])} on")
                self.ask_again(behaviour, regex, "", of="after_one")

    def _glitch(self, debounce: int, lines: Sequence[str], toggles: Sequence[str]) -> None:
        after = self.now
        self.add(
            self.now,
            f"press: {{at: {after}ms, signal: button, for: {max(1, debounce * 3 // 5)}ms}}",
        )
        self.now += 2 * debounce + PHASE_MS
        for line in lines[:1]:
            regex = exactly(line).replace("#", "[0-9]+")
            self.add(
                self.now,
                f"never: {{id: glitch_ignored, line: {single_quoted(regex)}, after: {after}ms, "
                f"until: {self.now}ms}}",
            )
        for output in toggles:
            self.add(
                self.now,
                f"never: {{id: glitch_leaves_{output}, pin: {output}, edge: any, "
                f"after: {after}ms, until: {self.now}ms}}",
            )

    def _counted(self, lines: Sequence[str], toggles: Sequence[str]) -> None:
        for line in lines[:1]:
            regex = exactly(line).replace("#", "[0-9]+")
            self.add(
                self.now,
                f"expect_count: {{id: presses_counted, line: {single_quoted(regex)}, "
                f"until: {self.now}ms, count: {self.presses}}}",
            )
        for output in toggles:
            self.add(
                self.now,
                f"expect_count: {{id: {output}_toggles, pin: {output}, edge: any, after: "
                f"{START_MS}ms, "
                f"until: {self.now}ms, count: {self.presses}}}",
            )


def _thresholds(behaviours: Sequence[Behaviour]) -> list[Behaviour]:
    return [b for b in behaviours if b.kind is BehaviourKind.THRESHOLD]
