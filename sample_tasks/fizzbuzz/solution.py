"""A solution of FizzBuzz, for check.py to check."""


def fizzbuzz(number: int) -> str:
    """``Fizz`` for multiples of 3, ``Buzz`` for those of 5, both for those of both, or itself."""
    return "Fizz" * (number % 3 == 0) + "Buzz" * (number % 5 == 0) or str(number)
