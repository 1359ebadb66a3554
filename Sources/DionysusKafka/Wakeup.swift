import CRdkafka
import Dispatch
import Synchronization

/// Wakes one thread; several signals before it wakes up count as one.
final class Wakeup: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)
    private let isPending = Atomic<Bool>(false)

    /// Wakes the thread, or prevents it from going to sleep.
    func signal() {
        if !isPending.exchange(true, ordering: .acquiringAndReleasing) { semaphore.signal() }
    }

    /// Makes librdkafka wake the thread when an empty queue receives an event; the wakeup must outlive the queue's
    /// client.
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

    /// Waits for a signal, with a timeout; check for the signalled events afterwards.
    func wait(atMost duration: Duration) {
        _ = semaphore.wait(timeout: .now() + .milliseconds(Int(duration.milliseconds)))
        isPending.store(false, ordering: .sequentiallyConsistent)
    }
}
