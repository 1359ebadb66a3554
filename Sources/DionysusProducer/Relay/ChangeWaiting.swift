import Dionysus
import Logging

/// How an idle relay waits: until the database announces a change, if it can, and at most for the poll interval.
struct ChangeWaiting: Sendable {
    private enum Readiness {
        /// Every change rings.
        case armed
        /// Transactions that have begun might end without ringing.
        case tryAgain
        /// Nothing rings.
        case silent
    }

    private static let firstTry = Duration.milliseconds(1)
    /// A change that another relay has already published, or a rollback to a savepoint, causes one.
    private static let toleratedFalseAlarms = 8

    private let signal: (any ChangeSignal)?
    private let doorbell: Doorbell
    private let pollInterval: Duration
    private let logger: Logger
    private var readiness = Readiness.silent
    private var tries = 0
    private var hasFailed = false
    /// Whether the database can't announce changes here, so that it isn't asked again.
    private var isImpossible = false
    /// How many announcements in a row have led to nothing.
    private var falseAlarms = 0
    private var wasAnnounced = false

    init(_ signal: (any ChangeSignal)?, _ doorbell: Doorbell, pollInterval: Duration, logger: Logger) {
        self.signal = signal
        self.doorbell = doorbell
        self.pollInterval = pollInterval
        self.logger = logger
    }

    /// Lets the database announce changes from now on.
    mutating func arm() async {
        doorbell.forgetAnnouncements()
        guard let signal, !isImpossible else { return }
        do {
            readiness = try await signal.arm() ? .armed : .tryAgain
            tries = readiness == .tryAgain ? tries + 1 : 0
            hasFailed = false
        } catch {
            readiness = .silent
            if !hasFailed { logger.notice("changes are not announced, the relay polls: \(error)") }
            hasFailed = true
            isImpossible = (error as? DionysusError)?.isRetriable == false
        }
    }

    /// Notes what was found since the last wait.
    ///
    /// Announcements without changes must not keep the relay busy: it looks less and less often, but never less often than a
    /// relay that polls.
    mutating func found(_ lanes: [Int]) {
        falseAlarms = lanes.isEmpty && wasAnnounced ? falseAlarms + 1 : 0
        wasAnnounced = false
    }

    /// Waits for the next change since changes have been announced.
    mutating func wait() async {
        if falseAlarms > Self.toleratedFalseAlarms {
            let pause = Self.firstTry * (1 << min(falseAlarms - Self.toleratedFalseAlarms, 16))
            try? await Task.sleep(for: min(pause, pollInterval))
        }
        await waitForAnnouncement()
        wasAnnounced = doorbell.hasAnnouncement
    }

    private func waitForAnnouncement() async {
        if doorbell.hasAnnouncement { return }
        switch readiness {
        case .armed, .silent: await doorbell.wait(atMost: pollInterval)
        case .tryAgain: await doorbell.wait(atMost: min(Self.firstTry * (1 << min(tries, 16)), pollInterval))
        }
    }

    /// Stops announcements while the relay works.
    func disarm() async { await signal?.disarm() }

    func close() async { await signal?.close() }
}
