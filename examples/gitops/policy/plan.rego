# What no plan of this team may do, beyond [limits]. The input is the plan as JSON: `reconciler show review.plan --json`.
# Each message of `deny` forbids it, each of `warn` is told. For conftest and OPA, version 1 of the language.
package main

import rego.v1

# The team's own numbers.
expensive := "(^|/)(claude-opus|gpt-5)|-thinking$" # names of models, as a regular expression

most_expensive_samples := 1000

most_samples_of_unknown_cost := 2000

most_samples_given_up := 100

bought := [change | some change in input.resource_changes; change.action in {"create", "replace", "retry"}]

# No plan is not a plan without changes.
deny contains "This is no plan: it was made with errors, or is no plan of format 1." if not is_plan

is_plan if {
	startswith(input.format_version, "1.")
	input.resource_changes
	not has_errors
}

has_errors if input.errored

has_errors if {
	some diagnostic in input.diagnostics
	diagnostic.severity == "error"
}

# A later version may do what nobody thought of here.
known := {"create", "replace", "retry", "cancel", "forget", "delete", "reuse", "update", "move", "import", "no-op"}

deny contains message if {
	some change in input.resource_changes
	not change.action in known
	message := sprintf("%s: this policy does not know what \"%s\" does.", [change.address, change.action])
}

deny contains message if {
	total := sum([change.change.after.number_of_samples |
		some change in bought
		regex.match(expensive, object.get(change.change.after, "generation_model", ""))
	])
	total > most_expensive_samples
	message := sprintf("%d samples of expensive models; at most %d at once.", [total, most_expensive_samples])
}

# In production nothing is left to the service's defaults, which move.
deny contains message if {
	input.environment == "production"
	some change in bought
	some field in {"generation_model", "seed_shuffling_level"}
	not field in object.keys(change.change.after)
	message := sprintf("%s: declare %s; its default changes over time.", [change.address, field])
}

# A run that is far along is not thrown away for a change of mind.
deny contains message if {
	some change in input.resource_changes
	change.change.actions == ["create", "delete"]
	change.run.samples_completed > most_samples_given_up
	message := sprintf(
		"%s: its run has made %d samples; let it finish (lifecycle.on_change = \"keep\").",
		[change.address, change.run.samples_completed],
	)
}

deny contains message if {
	some change in input.resource_changes
	change.action == "delete"
	message := sprintf("%s: files are deleted on the service by a person, never by a plan.", [change.address])
}

# A first purchase has no known cost: small ones go first.
deny contains message if {
	total := sum([change.change.after.number_of_samples | some change in bought; change.estimated_cost_usd == null])
	total > most_samples_of_unknown_cost
	message := sprintf("%d samples of unknown cost; buy at most %d first, and their cost is known.", [
		total,
		most_samples_of_unknown_cost,
	])
}

warn contains message if {
	some change in bought
	change.estimated_cost_usd == null
	message := sprintf("%s: nothing is known of its cost yet.", [change.address])
}

warn contains message if {
	some change in input.resource_changes
	change.caused_by_branch == false
	message := sprintf("%s: this branch did not cause it (%s).", [change.address, change.reason])
}
