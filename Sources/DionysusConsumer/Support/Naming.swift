import Dionysus

/// How names on the wire become names here.
struct Naming: Sendable {
    let columns: ReplicaColumnNames
    let softDeleteAttribute: String
    let inflection: Inflection
}
