import Dionysus

/// Tells the monitor what has become of the events of topics with an event log.
extension ConsumerPipeline {
    /// Whether somebody wants to hear of it.
    var observesCheckpoints: Bool {
        let monitor = telemetry.monitor
        return monitor.isObserved(EventCheckpoint.ExistsCheck.self)
            || monitor.isObserved(EventCheckpoint.AlreadyConsumed.self)
            || monitor.isObserved(EventCheckpoint.Action.self)
            || monitor.isObserved(EventCheckpoint.Acknowledged.self)
            || monitor.isObserved(EventCheckpoint.Skipped.self)
            || monitor.isObserved(EventCheckpoint.AroundConsume.self)
    }

    /// Reports events whose transaction has been committed.
    /// - Parameter retries: How often their message had been tried before.
    func report(_ notes: CheckpointNotes, retries: Int) {
        let monitor = telemetry.monitor
        for (event, outcome) in notes.all {
            let subject = EventCheckpoint.Subject(
                event,
                listenerID: settings.clientID,
                groupID: settings.effectiveGroupID,
                retryCount: retries
            )
            monitor.emit(EventCheckpoint.ExistsCheck(subject))
            switch outcome {
            case .repeated: monitor.emit(EventCheckpoint.AlreadyConsumed(subject))
            case .acknowledged:
                monitor.emit(EventCheckpoint.Action(subject))
                monitor.emit(EventCheckpoint.Acknowledged(subject))
            case .skipped:
                monitor.emit(EventCheckpoint.Action(subject))
                monitor.emit(EventCheckpoint.Skipped(subject))
            }
            monitor.emit(EventCheckpoint.AroundConsume(subject))
        }
    }
}
