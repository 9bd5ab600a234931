### The queue.

queue-lead = { $n ->
    [0] Nothing needs a person now.
    [one] One case needs a person.
   *[other] { $n } cases need a person.
}
queue-lead-hot = { $n ->
    [one] One safety case has nobody yet.
   *[other] { $n } safety cases have nobody yet.
}
queue-lead-now = { $n ->
    [one] One of them cannot wait.
   *[other] { $n } of them cannot wait.
}
queue-views = Views
queue-view-all = All open
queue-view-mine = Mine
queue-view-nobody = Nobody yet
queue-view-waiting = Waiting
queue-view-watched = Watched
queue-view-notices = Notices
queue-view-done = Done
queue-filter = Filter
queue-severity = Severity
queue-model = Model
queue-region = Region
queue-order = Order
queue-any = Any
queue-sort-urgent = Most urgent first
queue-sort-oldest = Oldest first
queue-caption = Cases, most urgent first
queue-select = Select
queue-select-one = Select the case of { $id }
queue-what = What and why
queue-device = Device
queue-latest = Latest
queue-status = Status
queue-who = Who
queue-age = Age
queue-now = Now
queue-next = Next
queue-waiting = Waiting for someone else
queue-watched = Repaired, being watched
queue-kind-also = +1: { $title }, { $severity }
queue-kind-more = { $n } more
queue-kind-reopened = Reopened
queue-kind-late = From data that came late
queue-until = Until { $until }
queue-latest-cleared = Is over
queue-latest-worsened = Worsened
queue-latest-reopened = Reopened
queue-latest-eased = Eased
queue-latest-unseen = Nobody looked yet
queue-latest-acted = Worked on
queue-with-selected = With the selected cases:
queue-acknowledge = Acknowledge
queue-assign-to = Assign to…
queue-assign = Assign
queue-csv = Download as CSV
queue-notices = { $n ->
    [0] Notices (consumables and planned care) never enter the queue.
    [one] One notice (consumables and planned care) stays out of the queue.
   *[other] { $n } notices (consumables and planned care) stay out of the queue.
}
queue-clear = Clear the filters
queue-none = Nothing needs a person
queue-none-why = Every device is judged as usual. What comes up stands here at once.
queue-none-fits = No case fits these filters
queue-without-filters = { $n ->
    [one] One case is here without them.
   *[other] { $n } cases are here without them.
}
queue-none-notices = No notices
queue-none-notices-why = Consumables and planned care will stand here.
queue-none-done = Nothing is done yet
queue-none-done-why = Closed and cancelled tickets will stand here.
queue-none-here = No case here
queue-none-here-why = The other views may have some.
queue-keys = Keys
queue-keys-move = move
queue-keys-open = open
queue-keys-select = select
queue-keys-find = find
