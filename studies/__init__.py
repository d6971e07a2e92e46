"""What was tried and what came of it; the answers stand in `docs/background/experiments.md` and `results.md`.

arena: what do other open programs answer on the same recordings? (results)
eight_bits: what does computing in eight bits cost in score and speed? (experiments)
equal_epochs: does what makes training fast cost score? (performance)
explanations: do explanations point at the seconds that count? A deletion test. (experiments)
features: how far do beats, their intervals and boosted trees get on the same folds? (experiments, results)
heart_rate: how exact is the heart rate, beside other detectors? (experiments)
interruptions: what do a lost node and a killed search leave? (scale)
known_beats: synthetic ECGs whose beats are known, for `heart_rate`
known_episodes: what do timelines of a few annotated patients look like? (experiments)
minirocket: how far does a linear model on random convolutions get, as a floor for every network? (results)
null_comparisons: how often does a comparison claim a difference where there is none? (score)
processes: does one run that several processes train learn what one process does? (reproducibility)
recipe_parts: what matters in the recipe that makes large networks learn fast? (experiments)
timelines: which windows, changes of rhythm and rules make the best timeline? (experiments)

Each is started as `python -m studies.NAME` from the repository with the packed challenge set in data/;
`eight_bits`, `explanations` and `timelines` take the folder of a finished job, such as logs/ResGRU/default; that of
`timelines` must be one of a split with validation parts.
"""
