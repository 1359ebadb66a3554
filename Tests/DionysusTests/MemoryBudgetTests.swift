import Dionysus
import Testing

struct MemoryBudgetTests {
    @Test func whatIsReservedIsGivenBackOnceHoweverOftenItIsReleased() async throws {
        let budget = MemoryBudget(bytes: 100)
        let first = try await budget.reserve(60)
        let second = try await budget.reserve(40)
        #expect(budget.reserveIfFree(1) == nil)
        first.release()
        first.release()
        #expect(budget.held == 40)
        withExtendedLifetime(second) {}
    }

    @Test func whatNobodyRefersToAnyMoreIsGivenBack() async throws {
        let budget = MemoryBudget(bytes: 100)
        do {
            let reservation = try await budget.reserve(100)
            #expect(budget.held == 100)
            withExtendedLifetime(reservation) {}
        }
        #expect(budget.held == 0)
    }

    @Test func whatIsNoLongerNeededIsGivenBackEarly() async throws {
        let budget = MemoryBudget(bytes: 100)
        let reservation = try await budget.reserve(100)
        reservation.shrink(to: 30)
        #expect(budget.held == 30)
        reservation.shrink(to: 80)
        #expect(budget.held == 30)
        reservation.release()
        #expect(budget.held == 0)
    }

    @Test func whatIsLargerThanTheWholeBudgetGoesAlone() async throws {
        let budget = MemoryBudget(bytes: 100)
        let small = try await budget.reserve(1)
        let large = Task { try await budget.reserve(1_000) }
        while !Task.isCancelled, budget.reserveIfFree(1) != nil { await Task.yield() }
        small.release()
        let reservation = try await large.value
        #expect(budget.held == 1_000)
        #expect(budget.reserveIfFree(1) == nil)
        reservation.release()
        #expect(budget.held == 0)
    }

    @Test func thoseWhoWaitGetTheirPartsInTheirOrder() async throws {
        let budget = MemoryBudget(bytes: 100)
        let all = try await budget.reserve(100)
        let (order, note) = AsyncStream.makeStream(of: Int.self)
        await withTaskGroup(of: Void.self) { group in
            for (number, bytes) in [100, 1, 60, 60].enumerated() {
                group.addTask {
                    guard let reservation = try? await budget.reserve(bytes) else { return }
                    note.yield(number)
                    reservation.release()
                }
                while !Task.isCancelled, budget.waiting <= number { await Task.yield() }
            }
            all.release()
        }
        note.finish()
        var numbers: [Int] = []
        for await number in order { numbers.append(number) }
        #expect(numbers.first == 0)
        #expect(numbers.last == 3)
        #expect(budget.held == 0)
    }

    @Test func whoIsCancelledWaitsNoLongerAndHoldsNothing() async throws {
        let budget = MemoryBudget(bytes: 100)
        let most = try await budget.reserve(90)
        let cancelled = Task { try await budget.reserve(20) }
        while !Task.isCancelled, budget.waiting == 0 { await Task.yield() }
        // It would fit, but follows one that doesn't.
        let next = Task { try await budget.reserve(10) }
        while !Task.isCancelled, budget.waiting == 1 { await Task.yield() }
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { _ = try await cancelled.value }
        let small = try await next.value
        #expect(budget.held == 100)
        small.release()
        most.release()
        #expect(budget.held == 0)
    }

    @Test func whoIsCancelledBeforeItWaitsGetsNothing() async throws {
        let budget = MemoryBudget(bytes: 100)
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            return try await budget.reserve(10)
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { _ = try await task.value }
        #expect(budget.held == 0)
    }
}
