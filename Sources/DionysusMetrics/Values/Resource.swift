/// Who sends: the service, as OpenTelemetry describes it.
struct Resource: Sendable, Hashable {
    /// The attributes, sorted by name.
    let attributes: [Attributes.Pair]

    init(_ attributes: [String: String]) {
        self.attributes = attributes.sorted { $0.key < $1.key }.map { Attributes.Pair(name: $0.key, value: $0.value) }
    }
}
