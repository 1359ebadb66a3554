/// Tells a process that waits for changes when other processes commit some, sooner than it would look by itself.
///
/// A signal is a convenience: whoever waits looks by itself too, though rarely.
public protocol ChangeSignal: Sendable {
    /// Announces every change from now on.
    ///
    /// Whoever is about to wait calls this, then looks, then waits, so that no change falls between.
    /// - Returns: Whether no change can go unannounced; if not, transactions are under way that began before, and it is
    ///   to be tried again.
    /// - Throws: ``DionysusError``: `databaseUnavailable` (retriable) when the connection is lost; `configuration` when
    ///   the database can't announce changes over this connection.
    func arm() async throws -> Bool

    /// Announces no more changes, because nobody waits.
    func disarm() async

    /// Ends the signal.
    func close() async
}
