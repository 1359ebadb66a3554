import Dionysus
import DionysusEvents

/// The rules of an account.
struct Accounts: Decider {
    struct State: Codable, Sendable, Equatable {
        var balance = 0
        var isOpen = false
    }

    enum Command: Sendable {
        case open(owner: String)
        case deposit(Int)
        case close
    }

    struct Refused: Error, Equatable {
        var reason: String
    }

    let initialState = State()

    func decide(_ command: Command, _ account: State) throws -> [any Event] {
        switch command {
        case .open(let owner): return account.isOpen ? [] : [Opened(owner: owner)]
        case .deposit(let amount):
            guard account.isOpen else { throw Refused(reason: "closed") }
            return [Deposited(amount: amount)]
        case .close: return account.isOpen ? [Closed()] : []
        }
    }

    func evolve(_ account: inout State, _ event: any Event) {
        switch event {
        case is Opened: account.isOpen = true
        case let event as Deposited: account.balance += event.amount
        case is Closed: account.isOpen = false
        default: break
        }
    }
}

/// Welcomes who opens an account with a gift, and closes accounts on which nothing was deposited in time.
struct Welcome: ProcessManager {
    struct State: Codable, Sendable, Equatable {
        var deposits = 0
    }

    let name = "welcome"
    let initialState = State()
    let accounts = Repository(Accounts(), category: "account", store)

    func route(_ event: RecordedEvent) -> ProcessRoute {
        guard event.stream.category == "account" else { return .ignore }
        return switch event.event {
        case is Opened: .start(event.stream.id)
        case is Deposited: .proceed(event.stream.id)
        case is Closed: .stop(event.stream.id)
        default: .ignore
        }
    }

    func handle(_ event: RecordedEvent, _ state: inout State, _ effects: inout ProcessEffects) {
        switch event.event {
        case is Opened:
            effects.append(Deposited(amount: 10), to: StreamName("gift", event.stream.id))
            effects.schedule("idle", at: Self.due, ["after": "opening"])
        case is Deposited:
            state.deposits += 1
            effects.cancel("idle")
        default: break
        }
    }

    func handle(_ timer: ProcessTimer, _ state: inout State, _ effects: inout ProcessEffects) {
        effects.execute(.close, on: timer.processID, accounts)
    }

    static let due = Timestamp(microseconds: 2_000_000_000_000_000)
}
