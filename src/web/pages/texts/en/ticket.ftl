### The page of a ticket. Words between ** are bold.

ticket-before = Previous case
ticket-after = Next case
ticket-place = { $n } of { $of }
ticket-until = until { $until }
ticket-case = { $n ->
   *[other] One case, { $n } tickets of this device:
}
ticket-case-this = { $id } this ticket
ticket-not-switched-off = This is about safety. Foremend cannot switch the appliance off: call the owner now.

ticket-grey-values = Over the { $level ->
    [fault] fault limit
   *[warn] warning limit
} of { $limit } in { $held } of the last { $among } values.
ticket-grey-opened = Opened { $ago } ago ({ $when }).
ticket-grey-worsened = Worsened to { $severity } { $when }.
ticket-grey-cleared = The condition is over since { $when }.
ticket-late = Decided from data that came late.

ticket-do = What to do
ticket-recheck-span = Once it is resolved, Foremend watches for { $span }. If it holds again, this ticket reopens; if not, it closes by itself.
ticket-recheck-uses = { $n ->
    [one] Once it is resolved, Foremend watches the next use ({ $name }). If it holds again, this ticket reopens; if not, it closes by itself.
   *[other] Once it is resolved, Foremend watches the next { $n } uses ({ $name }). If it holds again, this ticket reopens; if not, it closes by itself.
}

ticket-sure = How sure we are
ticket-sure-values = { $level ->
    [fault] **{ $held } of the last { $among } values** over the fault limit; { $of } are needed.
   *[warn] **{ $held } of the last { $among } values** over the warning limit; { $of } are needed.
}
ticket-sure-time = { $name }: held for **{ $held }**; { $of } is needed.
ticket-sure-above = { $name }: **{ $change } above its own normal** of { $normal }. Its usual spread is { $spread }.
ticket-sure-below = { $name }: **{ $change } below its own normal** of { $normal }. Its usual spread is { $spread }.
ticket-sure-limit = { $name }: **{ $value }**, limit { $limit }.
ticket-sure-verdicts = Right in **{ $right } of { $checked }** checked cases of this fault: **{ $share }** (likely { $low } to { $high }).
ticket-sure-unknown = { $have ->
    [0] How often this fault was right is not known yet: it needs { $need } verdicts and has none.
   *[other] How often this fault was right is not known yet: it needs { $need } verdicts and has { $have }.
}
ticket-sure-whisker = Right in { $share } of the cases, likely { $low } to { $high }

ticket-parts = Parts
ticket-evidence = Evidence
ticket-range = Range
ticket-range-near = Around it
ticket-range-days = { $n } d
ticket-range-all = All
ticket-local-time = Local time, { $zone }
ticket-chart-caption = **{ $name }**, { $what }
ticket-chart-per-use = one value per use or day
ticket-no-chart = What this ticket rests on is an occurrence or a state; there is no line to draw.
ticket-no-values = No values of { $name } are stored for this span. Choose a longer one.
ticket-series-late = The series store does not answer now, so that the chart is missing. The ticket itself is complete; reload in a minute.
ticket-held = What held, and what did not
ticket-sign = Sign
ticket-then = At the decision
ticket-now = Now
ticket-when-new = When new
ticket-limit = Limit
ticket-limit-own = { $limit } ({ $value })
ticket-did-hold = Held
ticket-held-since = since { $when }
ticket-yes = Yes
ticket-no = No
ticket-values = Values as a table
ticket-values-last = { $n ->
    [one] The last value
   *[other] The last { $n } values
}
ticket-value-when = When
ticket-value-unit = { $name }, { $unit }
ticket-change = Change
ticket-csv = All { $n } values as CSV

ticket-message = Message to the owner
ticket-chinese = Chinese
ticket-english = English
ticket-copy = Copy
ticket-copied = Copied
ticket-message-name = Text { $name }. One click selects all of it.
ticket-message-gaps = Fill in what is missing at the “…” before you send it.

ticket-story = Timeline
ticket-story-opened = Opened as { $severity }
ticket-story-worsened-to = Worsened to { $severity }
ticket-story-worsened = Worsened
ticket-story-eased = Eased to a warning
ticket-story-cleared = The condition is over
ticket-story-cancelled = Cancelled
ticket-story-reopened = Reopened
ticket-story-why = { $what }: { $why }
ticket-story-acknowledged = Acknowledged
ticket-story-assigned = Assigned to { $name }
ticket-story-assigned-again = Assigned once more
ticket-story-started = Work began
ticket-story-wait-customer = Waiting for the customer until { $until }
ticket-story-wait-part = Waiting for a part until { $until }
ticket-story-wait-visit = Waiting for a visit until { $until }
ticket-story-commented = Comment
ticket-story-resolved-as = Resolved: { $verdict }
ticket-story-resolved = Resolved
ticket-story-closed = Closed
ticket-story-by = by { $who }
ticket-story-profile = Profile { $version }.
ticket-story-fitted = Fitted: { $parts }.
ticket-story-erased = The text was erased.
ticket-why-cleared = it was over before anyone acted
ticket-why-raised-again = it holds again
ticket-why-no-help = the repair did not help
ticket-why-recheck-passed = Closed: quiet since the repair
ticket-why-unverified = Closed: too little use to judge the repair
ticket-why-withdrawn = the rule was withdrawn
ticket-why-absorbed = goes on in { $id }
ticket-why-sensor = its sensor is faulty, see { $id }
ticket-why-retired = the device was retired
ticket-why-wait-over = The wait is over
ticket-why-repeated = Still due
ticket-comment = Add a comment

ticket-act = Act
ticket-act-all = All actions
ticket-act-acknowledge = Acknowledge
ticket-act-start = Start work
ticket-act-go-on = Go on with the work
ticket-act-assign = Assign
ticket-act-wait = Start waiting
ticket-act-comment = Comment
ticket-act-resolve = Resolve
ticket-act-close = Close
ticket-act-reopen = Reopen
ticket-assign-me = Assign to me
ticket-assign-to = Assign to
ticket-wait = Wait for…
ticket-wait-for = Waiting for
ticket-wait-customer = Customer
ticket-wait-part = Part
ticket-wait-visit = Visit
ticket-wait-until = Until
ticket-wait-note = Note for the next person
ticket-resolve = Resolve…
ticket-verdict = Verdict
ticket-choose = Choose one
ticket-counts-right = Counts as right
ticket-counts-wrong = Counts as wrong
ticket-counts-nothing = Not counted
ticket-fitted = Parts fitted
ticket-found = What was found and done
ticket-reopen = Reopen…
ticket-reopen-why = Why
ticket-close = Close without a verdict…
ticket-close-what = It ends here and counts for no statistics. Nothing opens again until the condition ends and begins once more.

verdict-confirmed-fault = Confirmed fault
verdict-consumable = Consumable
verdict-user-education = User education
verdict-environment = Environment
verdict-no-fault-found = No fault found
verdict-sensor-error = Sensor or data error
verdict-unreachable = Customer unreachable
verdict-declined = Customer declined
verdict-duplicate = Duplicate
verdict-known-problem = Known lot problem

ticket-faster = This ticket was changed while you were writing
ticket-faster-who = This ticket was changed { $who } while you were writing
ticket-faster-now = The page shows it as it is now; what you sent was not done.
ticket-own-text = Your text was kept and is not saved yet
ticket-own-comment = Save my text as a comment
ticket-as-it-is = See the ticket as it is now
ticket-bad-version = This form is not complete. Reload the page and send it again.
ticket-bad-name = Write a name of 1 to 64 characters.
ticket-bad-wait = Choose what it waits for.
ticket-bad-until = Choose a day from today to a year from now.
ticket-bad-comment = Write something first.
ticket-bad-verdict = Choose a verdict. It decides whether this fault counts as right.
ticket-bad-text = The text is too long: at most { $limit } KiB are kept. Shorten it.

ticket-about-device = Device
ticket-device = Device
ticket-model = Model
ticket-hardware = Hardware
ticket-firmware = Firmware
ticket-lot = Lot
ticket-region = Region
ticket-first-use = In use since
ticket-last-heard = Last message
ticket-earlier = Earlier tickets
ticket-about-ticket = Ticket
ticket-fault = Fault
ticket-fault-stage = { $code } { $name }, stage { $level ->
    [fault] fault
   *[warn] warning
}
ticket-profile = Profile
ticket-assignee = Assignee
ticket-seen = Seen
ticket-raises = { $n ->
    [one] raised once
   *[other] raised { $n } times
}
ticket-linked = See also
ticket-keys = Keys:
ticket-keys-case = next, previous case;
ticket-keys-acknowledge = acknowledge;
ticket-keys-up = back to the queue
