"""A project that uses the whole language: every kind, every key and every word at least once, and no error."""

PROJECT = """\
project:
  name: photo_app
  timezone: Europe/Madrid
  data: exports
  week_starts: monday
  default_adjust: 28 days
  language: nl
  privacy: {min_cell: 20}
  catalogue: {events: {comment: like, purchase.revenue: revenue}, sources: {customers: people, form.recommend: score}}
sources:
  app:
    kind: events
    files: [app/*.csv, more/*.csv]
    columns: {event: action, id: event_id, session: sid, time: {from: at, as: epoch ms}}
    units: {user: user_id, device: device_id}
    properties:
      revenue: {from: props.total, type: money EUR}
      seconds: {from: dur_ms, type: duration ms}
      article: props.article
      hd: {from: hd, type: flag}
      size: {from: size, type: number}
      page_type: type
    where: action is not missing
    ignore: {staff: email ends with '@us.example', bots: "agent matches '(?:Bot|Spider)$'"}
    dedupe: id, keep first
    settle: 2 days
    complete_through: 2026-04-30
    timezone: UTC
  chat: {kind: events, event: message, files: chat.csv, columns: {time: at}, units: {user: user_id, team: team_id}}
  flags:
    kind: exposures
    files: flags/*.csv
    columns: {variant: variant, time: at, flag: flag}
    units: {user: user_id}
  people:
    kind: attributes
    files: people.csv
    units: {user: id}
    properties: {plan: plan, age: {from: age, type: number}, staff: {from: staff, type: flag}, village: village}
    known: before_exposure
  shop: {kind: outcomes, files: shop.csv, units: {user: id}, properties: {paid: {from: paid, type: money EUR}}}
  form:
    kind: answers
    files: form.csv
    columns: {time: at, score: q0, feel: q5, q1: q1, q2: q2, q3: q3}
    units: {user: uid}
"""

EVENTS = """\
events:
  app_open: {event: session_start, source: app, before_exposure: ok}
  photo_post: {event: photo_uploaded, source: app}
  like: {event: [like_clicked, heart_tapped], source: app}
  article_read:
    event: page_view
    source: app
    where: page_type = article and seconds >= 30 s
    count_once: article per day
  purchase:
    event: order_completed
    source: app
    where: revenue > 0 and not (page_type in (test, 'dry run'))
  crash: {event: app_crash, source: app}
  like_received: {event: like_clicked, source: app, unit: {user: owner_id}}
  first_photo: {event: photo_uploaded, source: app, nth: 1}
surveys:
  nps: {source: form, answer: score, scale: 0-10, score: nps, title: {en: Recommend, nl: Aanbevelen}, description: Would you?, cannot: Why.}
  csat: {source: form, answer: q1, scale: 1-5, score: top 2, take: first}
  pmf: {source: form, answer: feel, scale: [very, somewhat, not], score: share of very}
  trust:
    source: form
    items: [q1, q2, q3]
    scale: 1-7
    reversed: [q3]
    score: mean
    need: 2
    take: mean
    origin: ours
    questions: {q1: {en: They keep their word., nl: Ze houden woord.}}
groups:
  level:
    title: Engagement
    description: From onlookers to fans.
    per: week
    ladder:
      super_engaged: photo_post >= 5 and like >= 20
      regular: {all: [photo_post >= 2, like >= 5]}
      explorer: app_open
    otherwise: dormant
    climb: every
  fan:
    over: first 84 days
    cross:
      F: sum(purchase.revenue) >= 20
      A: answer(nps) >= 9
      N: photo_post >= 3 or like
    names: {FAN: ambassador, F__: customer}
    cannot: {en: Why.}
    origin: ours
    advice: {FAN: {en: Thank them., nl: Dank hen.}, unknown: Ask.}
  recent:
    over: first 28 days
    clock: date
    starting_at: app_open
    within: 7 days
    ladder: {active: like}
    otherwise: silent
"""

METRICS = """\
metrics:
  engaged_weeks:
    title: Engaged weeks
    description: {en: Share of weeks with 2 photos and 5 likes., nl: Deel van de weken.}
    cannot: What they are worth.
    origin: ours
    guardrail: spending
    did: photo_post >= 2 and like >= 5
    per: week
    over: first 28 days
    value: share
    better: higher
    margin: 1 points
    owner: feed-team
    version: 2
    status: certified
    dimension: contribution
    phase: growth
    tags: [engagement, core]
    adjust: [likes_before, people.age]
    examples:
      - {when: {day 0: photo_post x2, day 3 09:00: [like x5, purchase(revenue: 20)]}, expect: 25%}
  listed:
    did: {at_least: 2, of: [like, {any: [crash, purchase]}, {none: [app_open, photo_post]}]}
    over: first 28 days
    immature: keep
  reading_habit: {did: article_read >= 4 on 2 days, per: week, over: first 28 days, value: always}
  every_week: {did: (app_open on >= 3 days) in every week, over: first 28 days}
  nested: {did: not ((like or crash) on = 2 days), per: 14 days, over: days 0-27, value: count >= 1}
  streak: {did: like, per: day, over: first 28 days, value: streak >= 7}
  listed_of:
    did: at least 2 of (like >= 2, sum(purchase.revenue) >= 20 EUR, article_read >= 4 on 2 days)
    per: week
    over: first 28 days
    value: ever
  score: {amount: like + 2 * photo_post - 0.5 * crash, per: week, over: first 28 days, value: sum, cap: 99%}
  spending: {amount: sum(purchase.revenue), over: first 14 days, cap: 99% of nonzero, better: higher, margin: 3%}
  order_value: {ratio: {of: sum(purchase.revenue), to: purchase}, over: first 14 days}
  shorter: {ratio: like / app_open, over: first 14 days}
  share_paid: {ratio: {of: shop.paid, to: shop.paid}}
  paid: {column: shop.paid, cap: 500}
  dwell: {quantile: {of: article_read.seconds, at: 95%, across: events}, over: first 14 days}
  median: {quantile: {of: sum(article_read.seconds), at: 50%, across: units}, over: first 14 days}
  largest: {amount: max(purchase.size), over: first 14 days, missing: zero}
  smallest: {amount: min(purchase.size), over: first 14 days, missing: drop}
  opening: {amount: first(purchase.size), over: first 14 days, missing: 3}
  latest: {amount: last(purchase.size), per: week, over: first 28 days, missing: zero, value: max}
  share_hd: {did: mean(purchase.hd) >= 50%, over: first 14 days}
  variety: {did: distinct(article_read.article) >= 3, over: first 14 days}
  l28: {amount: days(app_open), over: first 28 days, show: histogram, test: brunner_munzel}
  visits: {amount: sessions(app_open) + count(like), over: first 14 days}
  recency: {did: days_since(purchase) <= 30 and like between 1 and 9, over: last 28 days}
  tenured: {ratio: {of: like, to: days(app_open)}, over: lifetime}
  checkout:
    funnel:
      steps: [{saw: article_read}, {bought: purchase}]
      within: 1 day
      from: exposure
      same: article
      different: page_type
    over: first 14 days
  short_funnel: {funnel: "photo_post, like", over: first 14 days, within: 2 hours}
  first_post: {time_to: photo_post, over: first 14 days, better: lower}
  first_hour: {time_to: like >= 2, over: first 90 minutes}
  share_super: {group: level, at_least: super_engaged, over: first 28 days}
  level_rank: {group: level, as: rank, over: first 28 days, value: mean}
  level_degrees: {group: level, as: degrees, over: first 28 days}
  level_shares: {group: level, as: share, over: first 28 days}
  regulars: {group: level, is: regular, over: first 56 days}
  ambassadors: {group: fan, is: FAN}
  customers: {group: fan, is: customer}
  recently: {group: recent, is: active}
  recommend: {survey: nps, over: first 28 days}
  trusting: {survey: trust, over: first 28 days}
  very: {survey: pmf, over: first 28 days}
  content: {survey: csat, over: first 28 days}
  retention_d7: {retention: app_open, day: 7}
  retention_w2: {retention: app_open, days: 7-13}
  retention_later: {retention: app_open, from_day: 7}
  churned: {churn: app_open, silent: 14 days, over: first 28 days, better: lower}
  came_back:
    ratio:
      of: app_open and app_open 1 week ago
      to: app_open 1 week ago
    per: week
    over: first 28 days
  resurrected: {did: app_open and no app_open 1-30 days ago, per: day, over: first 28 days}
  halved: {did: app_open 1 period ago and app_open <= 0.5 * app_open 1 period ago, per: 14 days, over: first 28 days}
  back: {did: (like >= 2 and photo_post) 1-2 weeks ago and like, per: week, over: first 28 days}
  rolling_wau: {did: app_open, per: rolling 7 days, over: first 28 days, value: last}
  monthly: {did: like >= 5, per: month, clock: calendar, over: first 62 days}
  calendar_weeks: {amount: like, per: week, clock: calendar, over: first 28 days}
  hours: {did: app_open, per: hour, clock: elapsed, over: first 2 days, value: count}
  blocks: {did: app_open, per: day, clock: elapsed, over: first 48 hours}
  crash_free: {did: no crash, per: session, over: first 14 days, better: higher, margin: 0.5%}
  likes_per_session: {amount: like, per: session, over: first 14 days}
  power_user: {did: days(app_open) >= 5, over: last 7 days}
  likes_before: {amount: like, over: before 28 days}
  anchored: {did: like >= 7, starting_at: app_open, within: 7 days, over: first 10 days}
  from_week_2: {did: like, per: week, over: from day 7}
  so_far: {did: like, per: week, over: whole}
  one_day: {did: like, over: day 3}
  free: {did: like and people.plan = free, over: first 14 days}
  among_free:
    did: like
    over: first 14 days
    among: plan in (free, 'trial 2') or people.age between 18 and 30
  among_active: {did: like, over: first 14 days, among: (photo_post >= 1) before 28 days, adjust: none}
  per_device: {did: like, over: first 14 days, unit: device}
  team_alive: {unit: team, did: distinct(message.user) >= 3 on 2 days, per: week, over: first 28 days}
  received: {amount: like_received + first_photo, over: first 14 days}
  old: {did: like, over: first 7 days, status: deprecated, use: one_day}
  shipped: {uses: abtest/retention_d7, retention: like, day: 14}
"""

EXPERIMENT = """\
experiment: ranker_v3
title: Ranker
owner: feed-team
hypothesis: Ranking by predicted dwell raises engaged weeks.
unit: user
exposure: {source: flags, flag: feed-ranker, where: variant != test}
variants:
  control: {key: off, share: 50%, title: Before}
  dwell: {key: v3, share: 50%}
baseline: control
dates: {start: 2026-03-02, enroll_until: 2026-03-15, end: 2026-04-12}
as_of: 2026-05-01
population: {only: 'country in (ES, MX)', exclude: staff is true}
mixed_exposure: first
moderators: [people.age]
segments: [plan, people.age, level before 28 days, (like >= 5) before 28 days]
metrics:
  goal: [engaged_weeks]
  guardrail: [spending, {crash_free: {margin: 0.2%, detect: 1%}}]
  secondary: [recommend, per_device]
  explore: [checkout, ambassadors]
plan:
  {method: group_sequential, looks: [25%, 50%, 100%], spending: {hwang_shih_decani: -4}, units: 40000,
   alpha: 5%, guardrail_alpha: 2.5%, power: 80%, detect: 2%,
   correct: {goal: holm, secondary: bh, segments: none}, srm_alpha: 0.1%, lift: log}
decide:
  roll_back: any guardrail is harmed or any goal is worse
  ship: every goal is better and every guardrail is safe
  iterate: {when: otherwise, verdict: dont_ship}
trigger: (app_open >= 1) in first 28 days
value: spending
drivers: {of: spending, by: [engaged_weeks, recommend]}
mechanism: [recommend, checkout]
targets:
  engaged_weeks: {reach: 60000, by: 2026-12-31, monthly: 5000, units: 250000}
changes: [dwell model retrained]
"""

CLUSTERED = """\
# Whole clusters, beside which nothing may count units one by one.
experiment: villages
owner: field-team
hypothesis: Neighbours help each other.
unit: user
exposure: {source: flags, flag: feed-ranker}
variants: {control: {key: off, share: 50%}, dwell: {key: v3, share: 50%}}
baseline: control
dates: {start: 2026-03-02, end: 2026-04-12}
cluster: people.village
metrics: {goal: [crash_free]}
plan: {method: hybrid, monitoring: 20%}
"""

BELIEVED = """\
# Judged by what is believed after the data.
experiment: believed
owner: field-team
hypothesis: Fewer crashes.
unit: user
exposure: {source: flags, flag: feed-ranker}
variants: {control: {key: off, share: 50%}, dwell: {key: v3, share: 50%}}
baseline: control
dates: {start: 2026-03-02, end: 2026-04-12}
metrics: {goal: [crash_free]}
plan: {method: bayesian, prior: {mean: -1%, sd: 5%}}
"""

WHOLE = {
    "abtest.yml": PROJECT,
    "events.yml": EVENTS,
    "metrics/all.yml": METRICS,
    "experiments/ranker_v3.yml": EXPERIMENT,
    "experiments/villages.yml": CLUSTERED,
    "experiments/believed.yml": BELIEVED,
}
