import { expect, it } from "vitest";
import { historyMinutes, TrafficHistory } from "./traffic-history.js";

const minuteMs = 60_000;
const totals = (hits: number) => ({ hits, misses: 0, servedBytes: 10 * hits, fetchedBytes: 0 });

it("what is added to the totals counts for the minute in which it is noticed", () => {
  const history = new TrafficHistory(5 * minuteMs);
  history.sample(5 * minuteMs + 10, totals(1));
  history.sample(5 * minuteMs + 20, totals(3));
  history.sample(8 * minuteMs, totals(7));
  expect(history.minutes(9 * minuteMs)).toEqual({
    firstMinute: 5,
    hits: [3, 0, 0, 4, 0],
    misses: [0, 0, 0, 0, 0],
    servedBytes: [30, 0, 0, 40, 0],
    fetchedBytes: [0, 0, 0, 0, 0],
  });
});

it("the history is that of one day", () => {
  const history = new TrafficHistory(0);
  for (let minute = 0; minute < 2 * historyMinutes; minute++) history.sample(minute * minuteMs, totals(minute + 1));
  const { firstMinute, hits } = history.minutes((2 * historyMinutes - 1) * minuteMs);
  expect(firstMinute).toBe(historyMinutes);
  expect(hits).toEqual(Array.from({ length: historyMinutes }, () => 1));
});

it("a clock that is set back makes a history of one minute", () => {
  const history = new TrafficHistory(100 * minuteMs);
  history.sample(7 * minuteMs, totals(2));
  expect(history.minutes(7 * minuteMs)).toMatchObject({ firstMinute: 7, hits: [2] });
});
