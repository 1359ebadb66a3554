extension TelemetryName {
    /// What metrics are about, and their units in UCUM, by name.
    ///
    /// Timers are in seconds.
    package static let descriptions: [String: (help: String, unit: String)] = [
        sentMessages: ("Messages that the broker has acknowledged, or refused", "{message}"),
        operationDuration: ("How long sending a batch took, until its last acknowledgement", "s"),
        published: ("Rows of the outbox that were published", "{row}"),
        failures: ("Rows that failed, and batches and polls that will be done again", "{failure}"),
        parked: ("Rows that failed for the last time", "{row}"),
        superfluous: ("Rows that needed no message: the record is gone, or a later row says the same", "{row}"),
        batchSize: ("Rows of a batch", "{row}"),
        stageDuration: ("How long a stage of a batch took", "s"),
        activeLanes: ("Lanes that this relay works on", "{lane}"),
        contendedLanes: ("Lanes that somebody else held when this relay wanted them", "{lane}"),
        pendingRows: ("Rows that wait to be published; at most 10,000 are counted in a lane", "{row}"),
        failingRows: ("Rows that have failed and wait for their next attempt", "{row}"),
        parkedRows: ("Rows that have failed for the last time", "{row}"),
        oldestAge: ("Age of the oldest row that waits", "s"),
        latency: ("From a change's commit to its acknowledgement by this relay, over the last minute", "s"),
        outboxLatency: (
            "From a change's commit until its row was marked by whichever relay, of the rows "
                + "among the newest 2,000 that were published during the last minute",
            "s"
        ),
        consumedMessages: ("Messages that a consumer is done with, whatever became of them", "{message}"),
        processDuration: ("How long a batch took, its retries included", "s"),
        applied: ("Events that were applied to the replica", "{event}"),
        skipped: ("Events without an effect, by reason; of tombstones and unknown events, messages", "{event}"),
        consumerFailures: ("Messages that failed, and whatever else failed and is done again", "{failure}"),
        parkedMessages: ("Messages that failed for the last time, by what was done with them", "{message}"),
        retries: ("Batches that were tried again, in halves or as single messages", "{batch}"),
        rebalances: ("Changes of what this member owns", "{change}"),
        ownedPartitions: ("Partitions that this member owns", "{partition}"),
        consumerBatchSize: ("Messages of a batch", "{message}"),
        consumerStageDuration: ("How long a stage of a batch took", "s"),
        lagMessages: ("Messages of an owned partition that are still to be applied", "{message}"),
        lagAge: ("Age of the oldest message of an owned partition that is still to be applied, at most", "s"),
        projectionLagEvents: ("Events that a projection has not applied; beyond 10,000 an upper bound", "{event}"),
        projectionLagAge: ("Age of the oldest event that a projection has not applied", "s"),
        rebuildRemaining: ("Events that the rebuild of a projection has still to apply", "{event}"),
        differences: ("Differences that the last verification of a model in a topic has found", "{difference}"),
    ]
}
