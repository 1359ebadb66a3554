extension [String: String] {
    /// Settings with which a member of a group on librdkafka's mock cluster soon notices what changes.
    ///
    /// The mock cluster lets joins take 3 or 5 seconds. An interval that divides them would let metadata arrive in the moment
    /// in which librdkafka's leader of a group waits for them, join after join: it then begins anew, without end.
    public static let quickOnMockCluster = [
        "session.timeout.ms": "6000", "topic.metadata.refresh.interval.ms": "470",
    ]
}
