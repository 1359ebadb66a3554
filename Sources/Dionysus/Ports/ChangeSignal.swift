/// Notifies a waiting process when other processes commit changes, sooner than its next poll.
///
/// A signal is an optimization: a waiting process also polls, though rarely.
package protocol ChangeSignal: Sendable {
    /// Reports every change from now on.
    ///
    /// Call this, then poll, then wait, so that no change is missed in between.
    /// - Returns: Whether every change is reported from now on. If false, transactions that began earlier are still
    ///   running: call it again.
    /// - Throws: ``DionysusError``: `databaseUnavailable` (retriable) if the connection is lost; `configuration` if the
    ///   database can't report changes over this connection.
    func arm() async throws -> Bool

    /// Stops reporting changes, because nobody waits.
    func disarm() async

    /// Closes the signal.
    func close() async
}
