import CRdkafka
import Dispatch
import Synchronization

/// Wakes one thread; any number of signals before it looks are one.
final class Wakeup: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)
    private let isPending = Atomic<Bool>(false)

    /// Wakes the thread, or keeps it from going to sleep.
    func signal() {
        if !isPending.exchange(true, ordering: .acquiringAndReleasing) { semaphore.signal() }
    }

    /// Lets librdkafka wake the thread when an empty queue gets something; the wakeup has to outlive the queue's client.
    func signal(onArrivalIn queue: OpaquePointer) {
        rd_kafka_queue_cb_event_enable(
            queue,
            { _, wakeup in
                guard let wakeup else { return }
                Unmanaged<Wakeup>.fromOpaque(wakeup).takeUnretainedValue().signal()
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
    }

    /// Waits for a signal, at most for a time; what was signalled before is to be looked for after this.
    func wait(atMost duration: Duration) {
        _ = semaphore.wait(timeout: .now() + .milliseconds(Int(duration.milliseconds)))
        isPending.store(false, ordering: .sequentiallyConsistent)
    }
}
