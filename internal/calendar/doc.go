// Package calendar counts business time: the moment at which so much open time
// has passed, and how much open time lies between two moments.
//
// # The model
//
// Hours are local wall-clock intervals per weekday, any number of them a day
// (split shifts). A day with a holiday has no open time. A calendar without
// hours and holidays is always open, and so is the zero Calendar: then Add and
// Between are plain arithmetic and allocate nothing.
//
// Add gives the earliest moment at which the asked open time has passed. From
// that one sentence follow the edges: a deadline whose time runs out exactly at
// closing time is due at closing time, not at the next opening; nothing to wait
// for (d ≤ 0) is due at once, open or closed.
//
// # Clock changes
//
// A wall-clock time means the first moment at which the local clock shows it or
// a later time. An opening interval therefore begins and ends once a day:
//
//   - Clock put forward: times inside the gap mean the moment of the change.
//     00:00 to 24:00 lasts 23 hours, 01:00 to 02:30 ends when 02:00 becomes
//     03:00, and an interval wholly inside the gap does not take place.
//   - Clock put back: the repeated hour continues the first one. 00:00 to 24:00
//     lasts 25 hours, an interval that ends at 02:30 ends at the first 02:30,
//     one that begins at 02:30 begins at the first and includes the repeat.
//   - Adjacent intervals stay adjacent; no moment is counted twice or lost.
//
// # Limits
//
// Intervals keep to whole minutes and do not cross midnight: a night shift is
// two of them. Clock changes and holidays are worked out for the years 1970 to
// 2100 when the calendar is made; outside these the nearest known offset holds
// and no day is a holiday. Add and Between look 100 years ahead at most
// and stop there, so that a calendar that is hardly ever open costs a bounded
// time; New refuses one that stays closed for a whole year.
//
// A Calendar is immutable and safe for concurrent use. Answers depend on the
// time zone database of the process: a program that must give the same answer
// everywhere imports time/tzdata.
//
// # What the library does here, and what it does not
//
// github.com/rickar/cal/v2 knows the holidays: fixed days, nth weekdays, days
// around Easter, substitute days and the public holidays of many countries. Its
// Holiday.Calc is used for all of them, once, to fill a set of closed days.
//
// Its business calendar is not used. It has one span a day (issue 74 there says
// that breaks would need a larger refactoring); it places that span by adding
// the time of day to midnight, which is an hour off after a clock change; it
// finds the next day by adding 24 hours; and it takes the second in which work
// ends for work time. The remaining arithmetic is short, and it is ours.
package calendar
