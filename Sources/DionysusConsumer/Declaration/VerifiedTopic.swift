import Dionysus

extension ConsumerTopic {
    /// Compares the topic's replicas with their source, whenever a verification run is started there.
    ///
    ///     Topic("rentals").verified()
    ///
    /// The consumer then reads the topic's verification topic too, `v3_rentals_verification`, and stores what differs.
    /// It changes nothing in the replica. Tables need the column with the version, `synced_version`: by it a row that is
    /// newer is known. A topic that is declared by a pattern can't be verified.
    public func verified() -> ConsumerTopic { changing { $0.isVerified = true } }

    /// What reads the topic's verification topic.
    /// - Parameter name: The topic's full name.
    func comparing(_ name: String) -> ConsumerTopic {
        changing { topic in
            topic.comparedTopic = name
            topic.isVerified = false
            topic.failurePolicy = .record(laterMessages: .pass)
            topic.batchTransformation = nil
            topic.start = .earliest
            topic.handlers = []
            topic.sharing = nil
            topic.eventIdentity = nil
            topic.lanes = 1
        }
    }
}
