import Dionysus

/// The workers of a member, one for each partition that it owns.
struct PartitionWorkers {
    /// How long a batch may go on after its partition was asked back, before it is cancelled.
    private static let gracePeriod = Duration.seconds(10)

    private struct Running {
        let worker: PartitionWorker
        let task: Task<Void, Never>
    }

    private let member: any MessageConsumer
    private let pipeline: ConsumerPipeline
    private let readAhead: ReadAhead
    private let slots: BatchSlots
    private let reports = WorkerReports()
    private var running: [TopicPartition: Running] = [:]
    /// Workers of partitions that were lost, which end by themselves.
    private var leaving: [Running] = []

    init(member: any MessageConsumer, pipeline: ConsumerPipeline, readAhead: ReadAhead) {
        self.member = member
        self.pipeline = pipeline
        self.readAhead = readAhead
        slots = BatchSlots(pipeline.settings.concurrency)
    }

    /// Whether the workers have applied all messages that they were given.
    var areIdle: Bool { running.values.allSatisfy(\.worker.isIdle) }

    /// The partitions that are worked on.
    var partitions: [TopicPartition] { Array(running.keys) }

    subscript(partition: TopicPartition) -> PartitionWorker? { running[partition]?.worker }

    /// Starts the work on a partition.
    mutating func run(_ partition: TopicPartition, from stored: StoredPosition?) {
        let worker = PartitionWorker(
            partition,
            from: stored,
            member: member,
            pipeline: pipeline,
            slots: slots,
            readAhead: readAhead,
            reports: reports
        )
        running[partition] = Running(worker: worker, task: Task { await worker.run() })
    }

    /// The reports of workers that have ended by themselves, once they have.
    func takeReports() async -> [WorkerReport] {
        var current: [WorkerReport] = []
        for report in reports.take() {
            guard let ended = running[report.partition], ended.worker.queue.isClosed else { continue }
            await ended.task.value
            readAhead.end(ended.worker.place)
            current.append(report)
        }
        return current
    }

    /// Stops workers once their current batch is done.
    mutating func end(_ partitions: [TopicPartition]) async {
        let ending = partitions.compactMap { running.removeValue(forKey: $0) }
        guard !ending.isEmpty else { return }
        close(ending)
        await readAhead.readOn(member)
        await withTaskCancellationHandler {
            await withTaskGroup(of: Bool.self) { group in
                group.addTask {
                    for ended in ending { await ended.task.value }
                    return true
                }
                group.addTask { (try? await Task.sleep(for: Self.gracePeriod)) == nil }
                if await group.next() == false { for ended in ending { ended.task.cancel() } }
                group.cancelAll()
            }
        } onCancel: {
            for ended in ending { ended.task.cancel() }
        }
    }

    /// Cancels workers whose partitions another member may own already.
    mutating func abandon(_ partitions: [TopicPartition]) async {
        let lost = partitions.compactMap { running.removeValue(forKey: $0) }
        close(lost)
        for ended in lost { ended.task.cancel() }
        leaving += lost
        await readAhead.readOn(member)
    }

    /// Stops all workers once their current batch is done.
    mutating func close() async {
        await end(Array(running.keys))
        for worker in leaving { await worker.task.value }
    }

    private func close(_ workers: [Running]) {
        for ended in workers {
            ended.worker.queue.close()
            readAhead.end(ended.worker.place)
        }
    }
}
