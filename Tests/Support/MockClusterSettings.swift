extension [String: String] {
    /// Settings with which a group member on librdkafka's mock cluster notices changes quickly.
    ///
    /// Joins on the mock cluster take 3 or 5 seconds. With an interval that divides these, metadata would arrive
    /// whenever librdkafka's group leader waits for it after a join, and the join would restart forever.
    public static let quickOnMockCluster = [
        "session.timeout.ms": "6000", "topic.metadata.refresh.interval.ms": "470",
    ]
}
